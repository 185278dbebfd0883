"""The sizes of images as plain geometry: a dot an image, width across, height up, on scales that double."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

from verydeep.report.line_plots import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Point, Tick

HEIGHT = 320
MOST_DOTS = 1500
"""More would only lie on each other; every so many images is shown then."""
MOST_COLORS = 6


@dataclass(frozen=True)
class Scatter:
    """Dots by class; one color for all where classes are more than colors."""

    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    series: tuple[tuple[str, tuple[Point, ...]], ...]
    shown: int
    """How many images are dots."""


def size_scatter(sizes: Sequence[tuple[int, int]], labels: Sequence[int], classes: Sequence[str]) -> Scatter:
    """``sizes`` as width and height in px, of images with ``labels``; at least one."""
    step = -(-len(sizes) // MOST_DOTS)
    shown = list(zip(sizes, labels, strict=True))[::step]
    low = log2(min(min(size) for size in sizes)) - 0.1
    high = max(log2(max(max(size) for size in sizes)) + 0.1, low + 1)

    def x(side: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (log2(side) - low) / (high - low)

    def y(side: int) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (log2(side) - low) / (high - low)

    names = classes if len(classes) <= MOST_COLORS else ("",)
    points: list[list[Point]] = [[] for _ in names]
    for (width, height), label in shown:
        said = f"{classes[label]}, {width} x {height} px"
        points[label if len(names) > 1 else 0].append(Point(x(width), y(height), said))
    ticks = [2**power for power in range(17) if low <= power <= high]
    return Scatter(
        across=tuple(Tick(x(side), f"{side:,}") for side in ticks),
        up=tuple(Tick(y(side), f"{side:,}") for side in ticks),
        series=tuple((name, tuple(dots)) for name, dots in zip(names, points, strict=True)),
        shown=len(shown),
    )
