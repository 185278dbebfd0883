"""The times of a network in several runtimes, as a table for the terminal and for a page."""

from collections.abc import Sequence

from rich.table import Table

from verydeep.bench.measure import BenchRow
from verydeep.number_format import NONE, percent

NAMES = ("runtime", "precision")
NUMBERS = (
    "batch", "median ms", "p95 ms", "images/s", "ratio", "of peak", "memory MB", "disk MB", "start s",
    "same class", "accuracy",
)  # fmt: skip
"""The columns after ``NAMES``. The ratio is to the first row of the batch size."""


def bench_table(rows: Sequence[BenchRow]) -> Table:
    """One row per runtime, precision and batch size."""
    table = Table(box=None, pad_edge=False)
    for name in NAMES:
        table.add_column(name)
    for name in NUMBERS:
        table.add_column(name, justify="right")
    for cells in bench_cells(rows):
        table.add_row(*cells)
    return table


def bench_cells(rows: Sequence[BenchRow]) -> list[tuple[str, ...]]:
    """The cells of each row, in the order of ``NAMES`` and ``NUMBERS``."""
    first = {row.batch: row for row in reversed(rows)}
    return [
        (
            row.runtime, row.precision, str(row.batch), f"{row.median_ms:.2f}", f"{row.p95_ms:.2f}",
            f"{row.images_per_second:,.0f}", f"{first[row.batch].median_ms / row.median_ms:.2f}",
            percent(row.share_of_peak, 0), f"{row.memory_mb:,.0f}", f"{row.disk_mb:,.1f}",
            f"{row.start_s:.2f}", percent(row.agreement, 1),
            NONE if row.accuracy is None else percent(row.accuracy, 1),
        )
        for row in rows
    ]  # fmt: skip
