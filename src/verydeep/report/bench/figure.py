"""The geometry of the latency of each runtime: a bar up to the median, and a line on to the p95."""

from collections.abc import Sequence
from dataclasses import dataclass

from verydeep.bench.measure import BenchRow
from verydeep.number_format import SPACE
from verydeep.report.charts.axis import Axis
from verydeep.report.charts.line_plots import WIDTH, Tick

LEFT, RIGHT = 130, 112
"""Margins for the names and the values, in px of the SVG."""
ROW, BAR, BOTTOM = 26, 15, 22
"""Height of a row, of its bar, and of the labels of the axis, in px of the SVG."""


@dataclass(frozen=True, kw_only=True)
class LatencyBar:
    """One runtime and precision."""

    name: str
    css_class: str
    """The precision, which gives the color."""
    y: float
    """The middle of the row."""
    median_x: float
    p95_x: float
    value: str
    """Latency and throughput, right of the bar."""
    label: str
    """All of it, as a tooltip and for screen readers."""


@dataclass(frozen=True, kw_only=True)
class LatencyFigure:
    """The bars of one batch size, in the order of the rows."""

    batch: int
    bars: tuple[LatencyBar, ...]
    x_ticks: tuple[Tick, ...]
    height: int
    width: int = WIDTH
    left: int = LEFT
    bar_height: int = BAR

    @property
    def bottom(self) -> int:
        """The lower end of the plot area."""
        return self.height - BOTTOM

    @property
    def description(self) -> str:
        """The text alternative of the figure."""
        return f"Latency of a batch of {self.batch}. " + "; ".join(bar.label for bar in self.bars)


def latency_figures(rows: Sequence[BenchRow]) -> tuple[LatencyFigure, ...]:
    """One figure for each batch size, each with an axis of its own."""
    return tuple(
        _figure(batch, [row for row in rows if row.batch == batch])
        for batch in dict.fromkeys(row.batch for row in rows)
    )


def _figure(batch: int, rows: Sequence[BenchRow]) -> LatencyFigure:
    axis = Axis.around([0.0, *(row.p95_ms for row in rows)], 1e-6, float(LEFT), float(WIDTH - RIGHT))
    return LatencyFigure(
        batch=batch,
        bars=tuple(_bar(row, (number + 0.5) * ROW, axis) for number, row in enumerate(rows)),
        x_ticks=axis.ticks("{:,g}".format),
        height=len(rows) * ROW + BOTTOM,
    )


def _bar(row: BenchRow, y: float, axis: Axis) -> LatencyBar:
    name = f"{row.runtime} {row.precision}"
    median, throughput = milliseconds(row.median_ms), f"{row.images_per_second:,.0f}"
    return LatencyBar(
        name=name,
        css_class=row.precision,
        y=y,
        median_x=axis.position(row.median_ms),
        p95_x=axis.position(row.p95_ms),
        value=f"{median}{SPACE}ms · {throughput}/s",
        label=f"{name}: median {median} ms, p95 {milliseconds(row.p95_ms)} ms, {throughput} images/s",
    )


def milliseconds(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"
