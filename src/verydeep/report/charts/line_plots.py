"""Line plots over the epochs as geometry: the template draws them as SVG, the style sheet has the colors.

Without a plotting library, the text stays text and one figure works in light and dark mode.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, floor, isfinite, log10

from verydeep.evaluate.evaluation import Evaluation
from verydeep.number_format import percent
from verydeep.train.epoch_result import EpochResult

WIDTH, HEIGHT, LOW_HEIGHT = 460, 250, 110
"""Size of a figure, and height of a small figure, in px of the SVG."""
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 24
"""Margins around the plot area, in px of the SVG."""


@dataclass(frozen=True)
class Tick:
    """A labeled position on an axis."""

    position: float
    label: str


@dataclass(frozen=True)
class Point:
    """The position of a measured value, and its tooltip."""

    x: float
    y: float
    label: str
    low: float | None = None
    """The lower end of its error bar; None without an error bar."""
    high: float | None = None


@dataclass(frozen=True)
class Curve:
    """One quantity along the x axis; ``last`` is its final value as text, or the most important one."""

    name: str
    points: tuple[Point, ...]
    last: str

    @property
    def path(self) -> str:
        """The points as the ``points`` attribute of a polyline."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure of curves with common axes."""

    title: str
    height: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    curves: tuple[Curve, ...]
    mark: Tick | None = None
    """A marked position on the x axis, with its meaning."""
    x_name: str = "epoch"
    """The name of the x axis; empty where the caption has it."""
    caption: str = ""
    """The axes, where the x axis is not the epochs."""
    last: str = "ends at"
    """The meaning of ``last`` of a curve."""

    @property
    def description(self) -> str:
        """The text alternative for screen readers."""
        ends = "; ".join(f"{curve.name} {self.last} {curve.last}" for curve in self.curves)
        mark = f"; {self.mark.label}" if self.mark else ""
        return f"{self.title} {self.caption or 'by epoch'}: {ends}{mark}"


def loss_chart(
    epochs: Sequence[EpochResult], test: Evaluation | None = None, kept: int | None = None
) -> Chart:
    """Training, validation and test loss, from 0; the epoch ``kept`` is marked."""
    series = (
        _series("training", ((epoch.epoch, epoch.train_loss) for epoch in epochs)),
        _series("validation", ((epoch.epoch, epoch.val_loss) for epoch in epochs)),
        _test_series(epochs, None if test is None else test.loss, kept),
    )
    return _chart("Loss", series, _Scale(0.0, _highest(series), "{:g}".format, "{:.3f}".format), kept=kept)


def accuracy_chart(
    epochs: Sequence[EpochResult], test: Evaluation | None = None, kept: int | None = None
) -> Chart:
    """Training, validation and test accuracy, up to 100 %; the epoch ``kept`` is marked."""
    series = (
        _series("training", ((epoch.epoch, epoch.train_top1) for epoch in epochs)),
        _series("validation", ((epoch.epoch, epoch.val_top1) for epoch in epochs)),
        _test_series(epochs, None if test is None else test.top1, kept),
    )
    lowest = min(value for one in series for _, value in one.values)
    scale = _Scale(min(lowest, 0.9), 1.0, partial(percent, decimals=0), percent)
    return _chart("Accuracy", series, scale, kept=kept)


def balanced_chart(epochs: Sequence[EpochResult], kept: int | None = None) -> Chart:
    """Balanced accuracy on the validation set, up to 100 %; the epoch ``kept`` is marked."""
    series = (_series("validation", ((epoch.epoch, epoch.val_balanced_accuracy) for epoch in epochs)),)
    lowest = min((value for one in series for _, value in one.values), default=0.9)
    scale = _Scale(min(lowest, 0.9), 1.0, partial(percent, decimals=0), percent)
    return _chart("Validation balanced accuracy", series, scale, kept=kept)


def rate_chart(epochs: Sequence[EpochResult]) -> Chart:
    """The learning rate at the end of each epoch, from 0."""
    series = (_series("learning rate", ((epoch.epoch, epoch.lr) for epoch in epochs)),)
    scale = _Scale(0.0, _highest(series), "{:g}".format, "{:.3g}".format, parts=2)
    return _chart("Learning rate", series, scale, height=LOW_HEIGHT)


@dataclass(frozen=True)
class _Series:
    """The values of a curve by epoch."""

    name: str
    values: tuple[tuple[int, float], ...]


def _series(name: str, values: Iterable[tuple[int, float | None]]) -> _Series:
    # A loss in half precision may overflow: the point is not drawn, and the page is still written.
    return _Series(
        name, tuple((epoch, value) for epoch, value in values if value is not None and isfinite(value))
    )


def _test_series(epochs: Sequence[EpochResult], value: float | None, kept: int | None) -> _Series:
    """One point, at the epoch whose weights were tested."""
    return _series("test", [(epochs[-1].epoch if kept is None else kept, value)])


def _highest(series: Sequence[_Series]) -> float:
    return max((value for one in series for _, value in one.values), default=0.0) or 1.0


@dataclass(frozen=True)
class _Scale:
    """The y axis: its minimum range, and the text of a tick and of a value."""

    low: float
    high: float
    tick: Callable[[float], str]
    value: Callable[[float], str]
    parts: int = 4
    """The approximate number of steps between ticks."""

    def ticks(self) -> tuple[float, ...]:
        """Round values that enclose the range; the axis runs from the first to the last."""
        step = round_step((self.high - self.low) / self.parts)
        first, last = floor(self.low / step + 1e-9), ceil(self.high / step - 1e-9)
        return tuple(round(number * step, 12) for number in range(first, last + 1))


def round_step(minimum: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least ``minimum``."""
    power = 10.0 ** floor(log10(minimum))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= minimum * (1 - 1e-9))


def _chart(
    title: str, series: Sequence[_Series], scale: _Scale, height: int = HEIGHT, kept: int | None = None
) -> Chart:
    last = max((epoch for one in series for epoch, _ in one.values), default=1)
    ticks = scale.ticks()

    def x(epoch: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * epoch / last

    def y(value: float) -> float:
        return height - BOTTOM - (height - TOP - BOTTOM) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    return Chart(
        title=title,
        height=height,
        x_ticks=tuple(Tick(x(epoch), str(epoch)) for epoch in _epoch_ticks(last)),
        y_ticks=tuple(Tick(y(value), scale.tick(value)) for value in ticks),
        curves=tuple(
            Curve(
                one.name,
                tuple(
                    Point(x(epoch), y(value), f"epoch {epoch}, {one.name}: {scale.value(value)}")
                    for epoch, value in one.values
                ),
                scale.value(one.values[-1][1]),
            )
            for one in series
            if one.values
        ),
        mark=None if kept is None else Tick(x(kept), f"epoch {kept} was kept"),
    )


def _epoch_ticks(last: int) -> range:
    return range(0, last + 1, max(1, round(round_step(last / 6))))
