"""The geometry of a reliability diagram: accuracy against confidence.

Guo et al. 2017, figure 1, with a dot instead of each bar: the curves before and after temperature scaling fit
in one figure, and the area of a dot is its share of the images.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

from verydeep.evaluate.calibration import Calibration, CalibrationBin, TemperatureScaling
from verydeep.number_format import percent, thousands
from verydeep.report.charts.line_plots import Tick

WIDTH, HEIGHT = 460, 360
LEFT, RIGHT, TOP, BOTTOM = 46, 446, 14, 314
"""The edges of the plot area, in the units of the figure's view box."""
MIN_RADIUS, MAX_RADIUS = 2.5, 12.0
"""The radius of the smallest dot, and of a dot with all images."""
MIN_IMAGES = 5
"""Of a bin that the curve goes through: the accuracy of fewer images is chance."""


@dataclass(frozen=True)
class Dot:
    """The images of one bin."""

    x: float
    y: float
    radius: float
    label: str
    is_on_curve: bool
    """Whether the bin has enough images."""


@dataclass(frozen=True)
class ReliabilityCurve:
    """The dots of one set of predictions."""

    name: str
    css_class: str
    dots: tuple[Dot, ...]
    error: str
    """The calibration error, formatted."""

    @property
    def path(self) -> str:
        """The dots with enough images as the ``points`` attribute of a polyline."""
        return " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in self.dots if dot.is_on_curve)


@dataclass(frozen=True, kw_only=True)
class ReliabilityDiagram:
    """The figure, ready for the template."""

    curves: tuple[ReliabilityCurve, ...]
    temperature: float | None
    note: str
    """Why scaling is applied or is not; empty where that is not known."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM

    @property
    def description(self) -> str:
        """The text alternative of the figure."""
        errors = "; ".join(f"{curve.name}: calibration error {curve.error}" for curve in self.curves)
        return f"Reliability diagram. {errors}"


def reliability_diagram(
    plain: Calibration, scaled: TemperatureScaling | None = None, note: str = ""
) -> ReliabilityDiagram:
    """The curve of a network, and a second one after temperature scaling.

    Args:
        plain: without temperature scaling.
        scaled: with it, where it is applied.
        note: why it is applied, or is not.
    """
    curves = [_curve("unscaled", "raw" if scaled else "only", plain)]
    if scaled:
        curves.append(_curve("scaled", "scaled", scaled.calibration))
    shares = [part / 5 for part in range(6)]
    return ReliabilityDiagram(
        curves=tuple(curves),
        temperature=scaled.temperature if scaled else None,
        note=note,
        x_ticks=tuple(Tick(_x(share), percent(share, 0)) for share in shares),
        y_ticks=tuple(Tick(_y(share), percent(share, 0)) for share in shares),
    )


def _curve(name: str, css_class: str, calibration: Calibration) -> ReliabilityCurve:
    return ReliabilityCurve(name, css_class, tuple(_dots(calibration.bins)), percent(calibration.error))


def _dots(bins: tuple[CalibrationBin, ...]) -> Iterator[Dot]:
    images = sum(each.images for each in bins)
    for each in bins:
        yield Dot(
            _x(each.confidence),
            _y(each.accuracy),
            max(MIN_RADIUS, MAX_RADIUS * sqrt(each.images / images)),
            f"confidence {percent(each.confidence, 1)}, accuracy {percent(each.accuracy, 1)}: "
            f"{thousands(each.images)} {'image' if each.images == 1 else 'images'}",
            each.images >= MIN_IMAGES,
        )


def _x(share: float) -> float:
    return LEFT + (RIGHT - LEFT) * share


def _y(share: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * share
