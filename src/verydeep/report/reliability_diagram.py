"""The reliability diagram as plain geometry: accuracy against confidence.

Guo et al. 2017, figure 1; a dot in place of each bar, so that before and after fit in one figure, and its
area is the share of the images, which bars do not show.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

from verydeep.evaluate.calibration import Calibration, CalibrationBin, TemperatureScaling
from verydeep.report.line_plots import Tick
from verydeep.tables.format import percent, thousands

WIDTH, HEIGHT = 460, 360
LEFT, RIGHT, TOP, BOTTOM = 46, 446, 14, 314
"""The edges of the plotted square, in the pixels of the figure's own grid."""
SMALLEST, LARGEST = 2.5, 12.0
"""Radius of a dot that is next to none of the images, and of one that is all."""


@dataclass(frozen=True)
class Dot:
    """The images of one bin."""

    x: float
    y: float
    radius: float
    label: str


@dataclass(frozen=True)
class ReliabilityCurve:
    """One network; ``kind`` is its class in the style sheet, ``error`` its calibration error in words."""

    name: str
    kind: str
    dots: tuple[Dot, ...]
    error: str

    @property
    def path(self) -> str:
        """The dots as the ``points`` attribute of a polyline."""
        return " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in self.dots)


@dataclass(frozen=True, kw_only=True)
class ReliabilityDiagram:
    """The figure, ready to be drawn."""

    curves: tuple[ReliabilityCurve, ...]
    temperature: float | None
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM

    @property
    def description(self) -> str:
        """What a reader who does not see the figure is told."""
        said = "; ".join(f"{curve.name}: calibration error {curve.error}" for curve in self.curves)
        return f"Reliability diagram. {said}"


def reliability_diagram(plain: Calibration, scaled: TemperatureScaling | None = None) -> ReliabilityDiagram:
    """A network as it is, and beside it scaled by its temperature."""
    curves = [_curve("unscaled", "raw" if scaled else "only", plain)]
    if scaled:
        curves.append(_curve("scaled", "scaled", scaled.calibration))
    shares = [part / 5 for part in range(6)]
    return ReliabilityDiagram(
        curves=tuple(curves),
        temperature=scaled.temperature if scaled else None,
        across=tuple(Tick(_x(share), percent(share, 0)) for share in shares),
        up=tuple(Tick(_y(share), percent(share, 0)) for share in shares),
    )


def _curve(name: str, kind: str, measured: Calibration) -> ReliabilityCurve:
    return ReliabilityCurve(name, kind, tuple(_dots(measured.bins)), percent(measured.error))


def _dots(bins: tuple[CalibrationBin, ...]) -> Iterator[Dot]:
    images = sum(each.images for each in bins)
    for each in bins:
        yield Dot(
            _x(each.confidence),
            _y(each.accuracy),
            max(SMALLEST, LARGEST * sqrt(each.images / images)),
            f"confidence {percent(each.confidence, 1)}, accuracy {percent(each.accuracy, 1)}: "
            f"{thousands(each.images)} images",
        )


def _x(share: float) -> float:
    return LEFT + (RIGHT - LEFT) * share


def _y(share: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * share
