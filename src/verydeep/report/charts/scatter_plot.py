"""The geometry of a scatter plot of image sizes: width on the x axis, height on the y axis, both log2."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

from verydeep.report.charts.line_plots import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Point, Tick

HEIGHT = 320
MAX_DOTS = 1500
"""With more images, every n-th one is shown, because dots would overlap."""
MAX_COLORS = 6


@dataclass(frozen=True)
class Scatter:
    """Dots by class; one color for all if there are more classes than colors."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    series: tuple[tuple[str, tuple[Point, ...]], ...]
    shown: int
    """The number of dots."""


def size_scatter(sizes: Sequence[tuple[int, int]], labels: Sequence[int], classes: Sequence[str]) -> Scatter:
    """The plot of ``sizes`` (width and height in px) of images with ``labels``; at least one image."""
    step = -(-len(sizes) // MAX_DOTS)
    shown = list(zip(sizes, labels, strict=True))[::step]
    low = log2(min(min(size) for size in sizes)) - 0.1
    high = max(log2(max(max(size) for size in sizes)) + 0.1, low + 1)

    def x(side: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (log2(side) - low) / (high - low)

    def y(side: int) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (log2(side) - low) / (high - low)

    names = classes if len(classes) <= MAX_COLORS else ("",)
    points: list[list[Point]] = [[] for _ in names]
    for (width, height), label in shown:
        tooltip = f"{classes[label]}, {width} x {height} px"
        points[label if len(names) > 1 else 0].append(Point(x(width), y(height), tooltip))
    ticks = [2**power for power in range(17) if low <= power <= high]
    return Scatter(
        x_ticks=tuple(Tick(x(side), f"{side:,}") for side in ticks),
        y_ticks=tuple(Tick(y(side), f"{side:,}") for side in ticks),
        series=tuple((name, tuple(dots)) for name, dots in zip(names, points, strict=True)),
        shown=len(shown),
    )
