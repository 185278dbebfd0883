"""The figures of a study as plain geometry: runs as dots, curves over epochs, gradients over layers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite, log10
from statistics import fmean

from verydeep.report.axis import Axis, power
from verydeep.report.line_plots import LEFT, RIGHT, WIDTH, Curve, Point, Tick
from verydeep.study.statistics import estimate
from verydeep.study.trial import Outcome, by_group, by_variant
from verydeep.tables.format import percent


@dataclass(frozen=True, kw_only=True)
class Lines:
    """A figure of one curve a variant."""

    title: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    across_name: str
    up_name: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True, kw_only=True)
class StripColumn:
    """The runs of one variant: a dot each, their mean, and its 95 % interval."""

    name: str
    place: float
    dots: tuple[Point, ...]
    mean: float
    low: float
    high: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A figure of one column a variant."""

    title: str
    up: tuple[Tick, ...]
    columns: tuple[StripColumn, ...]


def strips(outcomes: Sequence[Outcome]) -> tuple[Strip, ...]:
    """Test accuracies, a figure a group; all figures share one axis."""
    measured = [run for run in outcomes if run.test_top1 is not None]
    if not measured:
        return ()
    values = [run.test_top1 or 0.0 for run in measured]
    up = Axis.up(values)
    return tuple(_strip(title, runs, up) for title, runs in by_group(measured).items())


def loss_curves(outcomes: Sequence[Outcome]) -> tuple[Lines, ...]:
    """Training loss over the epochs, the mean of the seeds, a figure a group."""
    trained = [run for run in outcomes if run.epochs]
    return tuple(
        _lines(
            title or "Training loss",
            {name: _mean_loss(same) for name, same in by_variant(runs).items()},
            ("epoch", "training loss, nats"),
            "{:.3f}".format,
        )
        for title, runs in by_group(trained).items()
    )


def gradient_curves(outcomes: Sequence[Outcome], step: int) -> tuple[Lines, ...]:
    """The norm of the gradient at each layer before ``step``, as a power of ten, a figure a group."""
    probed = [run for run in outcomes if run.gradients]
    return tuple(
        _lines(
            title,
            {name: _mean_gradient(same, step) for name, same in by_variant(runs).items()},
            ("layer, from the image", "norm of the gradient"),
            lambda exponent: f"{10**exponent:.1e}",
            tick=power,
            least_step=1.0,
        )
        for title, runs in by_group(probed).items()
    )


def _mean_loss(runs: Sequence[Outcome]) -> list[tuple[int, float]]:
    longest = min(len(run.epochs) for run in runs)
    means = ((at + 1, fmean(run.epochs[at].train_loss for run in runs)) for at in range(longest))
    return [(epoch, loss) for epoch, loss in means if isfinite(loss)]


def _mean_gradient(runs: Sequence[Outcome], step: int) -> list[tuple[int, float]]:
    """Layers with the mean exponent of the seeds; a layer whose gradient is 0 has none."""
    exponents: dict[int, list[float]] = {}
    for run in runs:
        for look in run.gradients:
            if look.step == step and look.norm > 0:
                exponents.setdefault(look.place, []).append(log10(look.norm))
    return [(place, fmean(values)) for place, values in sorted(exponents.items())]


def _strip(title: str, outcomes: Sequence[Outcome], up: Axis) -> Strip:
    variants = by_variant(outcomes)
    width = (WIDTH - LEFT - RIGHT) / len(variants)
    decimals = 0 if up.values[1] - up.values[0] >= 0.01 else 1
    return Strip(
        title=title or "Test accuracy",
        up=up.ticks(partial(percent, decimals=decimals)),
        columns=tuple(
            _column(name, runs, LEFT + width * (number + 0.5), up)
            for number, (name, runs) in enumerate(variants.items())
        ),
    )


def _column(name: str, runs: Sequence[Outcome], place: float, up: Axis) -> StripColumn:
    values = [run.test_top1 or 0.0 for run in runs]
    mean = estimate(values)
    low, high = up.values[0], up.values[-1]
    return StripColumn(
        name=name,
        place=place,
        dots=tuple(
            Point(place, up.place(value), f"{run.name}: {percent(value)}")
            for run, value in zip(runs, values, strict=True)
        ),
        mean=up.place(mean.mean),
        low=up.place(max(mean.low, low)),
        high=up.place(min(mean.high, high)),
        label=f"{name}: mean {percent(mean.mean)} of {mean.count}",
    )


def _lines(
    title: str,
    series: dict[str, list[tuple[int, float]]],
    names: tuple[str, str],
    say: Callable[[float], str],
    tick: Callable[[float], str] = "{:g}".format,
    least_step: float = 1e-6,
) -> Lines:
    drawn = {name: values for name, values in series.items() if values}
    everything = [value for values in drawn.values() for value in values]
    up = Axis.up((value for _, value in everything), least_step)
    across = Axis.around((0.0, *(float(at) for at, _ in everything)), 1.0, float(LEFT), float(WIDTH - RIGHT))
    return Lines(
        title=title,
        across=across.ticks("{:g}".format),
        up=up.ticks(tick),
        across_name=names[0],
        up_name=names[1],
        curves=tuple(
            Curve(
                name,
                tuple(
                    Point(
                        across.place(float(at)),
                        up.place(value),
                        f"{name}, {names[0].split(',')[0]} {at}: {say(value)}",
                    )
                    for at, value in values
                ),
                say(values[-1][1]),
            )
            for name, values in drawn.items()
        ),
    )
