"""The times of a network in several runtimes, as tables for the terminal and cells for a page."""

from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.table import Table

from verydeep.bench.measure import BenchRow
from verydeep.number_format import NONE, percent

NAMES = ("runtime", "precision")
NUMBERS = (
    "batch", "median ms", "p95 ms", "images/s", "ratio", "of peak", "memory MB", "disk MB", "start s",
    "same class", "accuracy",
)  # fmt: skip
"""The columns after ``NAMES``. The ratio is to the first row of the batch size."""
_OF_TIMES = ("median ms", "p95 ms", "images/s", "ratio", "of peak", "memory MB")
_OF_NETWORKS = ("disk MB", "start s", "same class", "accuracy")
_GAP = 2
"""Spaces between columns."""


def bench_tables(rows: Sequence[BenchRow]) -> Group:
    """A table of times for each batch size, then one of what no batch size changes; they fit 80 columns."""
    batches = dict.fromkeys(row.batch for row in rows)
    cells = [dict(zip((*NAMES, *NUMBERS), each, strict=True)) for each in bench_cells(rows)]
    tables = [
        _table(f"batch {batch}", _OF_TIMES, [each for each in cells if each["batch"] == str(batch)])
        for batch in batches
    ]
    names = _OF_NETWORKS if any(row.accuracy is not None for row in rows) else _OF_NETWORKS[:-1]
    spaced = [part for table in tables for part in (table, "")]
    return Group(*spaced, _table("any batch", names, cells[: len(cells) // len(batches)]))


def _table(title: str, names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> Table:
    """The columns ``names`` of ``rows``, as wide as its numbers: printed with ``soft_wrap``, none is cut."""
    lines = [(title, *names)]
    lines += [(f"{row['runtime']} {row['precision']}", *(row[name] for name in names)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = Table(box=None, pad_edge=False, width=sum(widths) + _GAP * len(names))
    for number, (name, width) in enumerate(zip(lines[0], widths, strict=True)):
        table.add_column(name, justify="right" if number else "left", width=width)
    for line in lines[1:]:
        table.add_row(*line)
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
