"""The page of ``verydeep bench``: latency and throughput in every runtime, the table, machine and command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verydeep.atomic_write import write_text
from verydeep.bench.measure import ROUNDS, BenchRow
from verydeep.report.bench.figure import latency_figures, milliseconds
from verydeep.tables.bench_table import NAMES, NUMBERS, bench_cells
from verydeep.templates.environment import environment


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """What was timed, where, and by which command."""

    network: str
    """The name of its architecture."""
    size: int
    """The side of the images in px."""
    rows: Sequence[BenchRow]
    """At least one."""
    images: str
    """By which images agreement and accuracy were measured."""
    machine: Mapping[str, str]
    command: str


@dataclass(frozen=True, kw_only=True)
class Fastest:
    """The fastest runtime and precision at one batch size."""

    batch: int
    name: str
    latency: str
    """The median, formatted."""
    note: str


def write_bench_page(report: BenchReport, path: Path) -> None:
    """``report`` as an HTML page at ``path``, complete or not at all."""
    write_text(path, render_bench_page(report))


def render_bench_page(report: BenchReport) -> str:
    """The page as HTML, with all text escaped."""
    return (
        environment()
        .get_template("bench_page.html.j2")
        .render(
            report=report,
            fastest=_fastest(report.rows),
            figures=latency_figures(report.rows),
            precisions=tuple(dict.fromkeys(row.precision for row in report.rows)),
            names=NAMES,
            numbers=NUMBERS,
            cells=bench_cells(report.rows),
            rounds=ROUNDS,
        )
    )


def _fastest(rows: Sequence[BenchRow]) -> tuple[Fastest, ...]:
    """For each batch size, in the order of the rows."""
    result = []
    for batch in dict.fromkeys(row.batch for row in rows):
        first, *_ = same = [row for row in rows if row.batch == batch]
        best = min(same, key=lambda row: row.median_ms)
        ratio = f"{first.median_ms / best.median_ms:.1f} times as fast as {first.runtime} {first.precision}"
        result.append(
            Fastest(
                batch=batch,
                name=f"{best.runtime} {best.precision}",
                latency=milliseconds(best.median_ms),
                note=f"{best.images_per_second:,.0f} images/s" + (f", {ratio}" if best is not first else ""),
            )
        )
    return tuple(result)
