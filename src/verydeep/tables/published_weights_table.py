"""The table of published weights for the terminal. Needs no torch."""

from collections.abc import Sequence
from itertools import groupby

from rich.table import Table
from rich.text import Text

from verydeep.number_format import NONE, SPACE, percent
from verydeep.tables.data_table import bare_table
from verydeep.tables.preprocess_text import preprocess_text
from verydeep.weights.catalog import PublishedWeights

DEFINITIONS = (
    "Top-1 and top-5: accuracy on the ImageNet validation set, one crop, as the publisher measured it. "
    "Default: selected by the name of the architecture alone. "
    f"{NONE}: not stated by the publisher. More: verydeep weights list --json"
)


def published_table(rows: Sequence[PublishedWeights]) -> Table:
    """``rows``, grouped by publisher."""
    table = bare_table(Text("Published weights\n", "bold"), DEFINITIONS, footer=False)
    table.add_column("weights", no_wrap=True)
    for column in ("MB", "top-1", "top-5"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("license", no_wrap=True)
    table.add_column("note", overflow="fold")
    for publisher, members in groupby(rows, key=lambda row: row.publisher):
        table.add_section()
        table.add_row(Text(publisher, "dim"))
        for row in members:
            table.add_row(*_cells(row))
    return table


def _cells(row: PublishedWeights) -> tuple[str | Text, ...]:
    size = row.checksum.size
    return (
        Text(row.name, "bold" if row.is_default else ""),
        f"{size / 1e6:.1f}" if size else NONE,
        NONE if row.top1 is None else percent(row.top1),
        NONE if row.top5 is None else percent(row.top5),
        row.license or NONE,
        "default" if row.is_default else "features only" if row.features_only else "",
    )


def published_text(row: PublishedWeights) -> str:
    """The checksum, license, accuracy and preprocessing of published weights, one per line."""
    accuracy = "not stated"
    if row.top1 is not None and row.top5 is not None:
        accuracy = f"top-1 {percent(row.top1)}, top-5 {percent(row.top5)}"
    lines = [
        f"{row.name}, from {row.publisher}{': features only' if row.features_only else ''}",
        f"checksum: {(row.checksum.digest or 'not stated').replace(':', SPACE)}",
        f"license: {row.license or 'not stated'}",
        f"accuracy: {accuracy}",
        f"preprocessing: {preprocess_text(row.preprocess)}",
    ]
    return "\n".join([*lines, f"note: {row.note}"] if row.note else lines)
