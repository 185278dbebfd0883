"""The search over widths: from the given network to the narrowest, one exchange after the other.

Each step narrows the layer that costs the least accuracy for what it saves: the squared error of the layer
after it, known for every width from ``selection.py``, for latency by the clock and for parameters. So layers
exchange channels: those that are slow and matter little become narrow first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture
from verydeep.compress.latency import LayerTimer
from verydeep.compress.narrow.narrowing import Narrowing
from verydeep.compress.narrow.widths import Width

SMALLEST_STEP = 1 / 8
"""Of a width: as many channels, or the next multiple, are removed at a time."""
BALANCE = 4.0
"""The shares of their channels that two layers keep are at most so many times apart: the errors of the first
layers, which are slow, grow on their way."""
NOISE = 1e-3
"""Of all latency or parameters: what saves less is noise of the clock."""


@dataclass(frozen=True)
class Weights:
    """How much a share of the original latency counts, and a share of its parameters."""

    latency: float
    parameters: float


@dataclass(frozen=True, kw_only=True)
class Point:
    """The widths of one architecture, by producer, with what it is estimated to cost."""

    channels: Mapping[str, int]
    latency: float
    """As a share of that of the original, by the sum of its layers."""
    parameters: float
    """As a share of those of the original."""


def narrowing_path(narrowing: Narrowing, timer: LayerTimer, weights: Weights) -> tuple[Point, ...]:
    """Ever narrower architectures, each with one width less than the one before; the last is the narrowest.

    The given network is not among them.
    """
    original = narrowing.checkpoint.model.architecture
    whole = _Costs(timer, timer.ms(original), trace(original).totals.parameters, weights)
    channels = {width.producer: width.channels for width in narrowing.widths}
    points: list[Point] = []
    here = whole.point(original, channels)
    while True:
        candidates = [
            (whole.point(narrowing.architecture(changed), changed), added)
            for changed, added in _narrower(narrowing, channels)
        ]
        if not candidates:
            return tuple(points)
        saved = [(whole.saved(here, point), added, point) for point, added in candidates]
        useful = [each for each in saved if each[0] > NOISE] or saved
        _, _, here = min(useful, key=lambda each: each[1] / max(each[0], NOISE))
        channels = dict(here.channels)
        points.append(here)


@dataclass(frozen=True)
class _Costs:
    timer: LayerTimer
    ms: float
    parameters: int
    weights: Weights

    def point(self, architecture: Architecture, channels: Mapping[str, int]) -> Point:
        return Point(
            channels=channels,
            latency=self.timer.ms(architecture) / self.ms,
            parameters=trace(architecture).totals.parameters / self.parameters,
        )

    def saved(self, before: Point, after: Point) -> float:
        return self.weights.latency * (before.latency - after.latency) + self.weights.parameters * (
            before.parameters - after.parameters
        )


def _narrower(narrowing: Narrowing, channels: Mapping[str, int]) -> list[tuple[dict[str, int], float]]:
    """Each way to narrow one width, with the squared error that it adds."""
    found = []
    widest = max(channels[width.producer] / width.channels for width in narrowing.widths)
    for width in narrowing.widths:
        count = channels[width.producer]
        less = _next(width, count)
        if less is not None and less / width.channels >= widest / BALANCE:
            removal = narrowing.removals[width.producer]
            found.append(({**channels, width.producer: less}, removal.error(less) - removal.error(count)))
    return found


def _next(width: Width, count: int) -> int | None:
    """The next smaller choice that removes enough channels; None where there is no smaller one."""
    smaller = [choice for choice in width.choices if choice < count]
    return max([each for each in smaller if count - each >= SMALLEST_STEP * count] or smaller, default=None)
