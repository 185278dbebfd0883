"""``verydeep compare``: the cost of several networks in one table."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.analyze.compare import compare
from verydeep.architecture import zoo
from verydeep.errors import ArchitectureError
from verydeep.tables.cost_tables import comparison_table
from verydeep.terminal.console import print_json, print_message
from verydeep.terminal.table_flags import TableFormat, TableFormatFlags, print_tables


def compare_networks(
    *networks: Annotated[str, Parameter(name="NETWORK")],
    table_format: TableFormatFlags = None,
    plot: Path | None = None,
) -> int:
    """Compare networks: depth, parameters, MACs, activations, receptive field, published accuracy.

    Parameters
    ----------
    networks
        Names from `verydeep list`, papers' letters, or architecture strings.
    table_format
        The output format.
    plot
        Draw the comparison as bars into FILE.png or FILE.svg.
    """
    if not networks:
        raise ArchitectureError("compare requires networks, such as: verydeep compare vgg16 resnet34")
    table_format = table_format or TableFormat()
    compared = compare(map(zoo.resolve, networks))
    if plot:
        from verydeep.pictures.cost_image import save_comparison_picture

        save_comparison_picture(compared, plot)
        print_message(f"Wrote {plot}")
    if table_format.json:
        print_json([asdict(row) for row in compared])
    else:
        print_tables(table_format, comparison_table(compared))
    return 0
