"""``verydeep compare``: networks side by side."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.analyze.compare import compare
from verydeep.architecture import zoo
from verydeep.errors import ArchitectureError
from verydeep.tables.cost_tables import comparison_sheet
from verydeep.terminal.console import err, print_json
from verydeep.terminal.table_flags import AsTableFormat, TableFormat, print_sheets


def compare_networks(
    *networks: Annotated[str, Parameter(name="NETWORK")],
    form: AsTableFormat = None,
    plot: Path | None = None,
) -> int:
    """Put networks side by side: depth, parameters, MACs, activations, field, published accuracy.

    Parameters
    ----------
    networks
        Names of the zoo (`verydeep list`), papers' letters, or lines of text.
    form
        What is printed in place of a table for the terminal.
    plot
        Draw them as bars into FILE.png or FILE.svg.
    """
    if not networks:
        raise ArchitectureError("compare requires networks, such as: verydeep compare vgg16 resnet34")
    form = form or TableFormat()
    compared = compare(map(zoo.resolve, networks))
    if plot:
        from verydeep.pictures.cost_image import save_comparison_picture

        save_comparison_picture(compared, plot)
        err().print(f"Wrote {plot}", markup=False, soft_wrap=True)
    if form.json:
        print_json([asdict(row) for row in compared])
    else:
        print_sheets(form, comparison_sheet(compared))
    return 0
