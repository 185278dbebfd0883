"""The times of a network in several runtimes, as a table for the terminal."""

from collections.abc import Sequence

from rich.table import Table

from verydeep.bench.measure import BenchRow
from verydeep.number_format import percent


def bench_table(rows: Sequence[BenchRow]) -> Table:
    """One row per runtime, precision and batch size; the ratio is to the first row of the batch size."""
    table = Table(box=None, pad_edge=False)
    for name in ("runtime", "precision"):
        table.add_column(name)
    for name in ("batch", "median ms", "p95 ms", "images/s", "ratio", "of peak", "memory MB", "disk MB",
                 "start s", "same class", "accuracy"):  # fmt: skip
        table.add_column(name, justify="right")
    first = {row.batch: row for row in reversed(rows)}
    for row in rows:
        table.add_row(
            row.runtime, row.precision, str(row.batch), f"{row.median_ms:.2f}", f"{row.p95_ms:.2f}",
            f"{row.images_per_second:,.0f}", f"{first[row.batch].median_ms / row.median_ms:.2f}",
            percent(row.share_of_peak, 0), f"{row.memory_mb:,.0f}", f"{row.disk_mb:,.1f}",
            f"{row.start_s:.2f}", percent(row.agreement, 1),
            "" if row.accuracy is None else percent(row.accuracy, 1),
        )  # fmt: skip
    return table
