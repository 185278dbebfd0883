"""The figures of a study as geometry: strip plots of runs, and curves of loss, gradient norm and size."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite, log2, log10
from statistics import fmean

from verydeep.number_format import percent
from verydeep.report.charts.axis import Axis, power_of_ten
from verydeep.report.charts.line_chart import LineChart, line_chart
from verydeep.report.charts.line_plots import LEFT, RIGHT, WIDTH, Point, Tick
from verydeep.study.statistics import estimate
from verydeep.study.trial import Outcome, by_group, by_variant
from verydeep.train.epoch_result import EpochResult


@dataclass(frozen=True, kw_only=True)
class StripColumn:
    """The runs of one variant: a dot per run, their mean, and its 95 % interval."""

    name: str
    x: float
    dots: tuple[Point, ...]
    mean: float
    low: float
    high: float
    label: str


@dataclass(frozen=True, kw_only=True)
class StripPlot:
    """A figure with one column per variant."""

    title: str
    y_ticks: tuple[Tick, ...]
    columns: tuple[StripColumn, ...]


def strip_plots(outcomes: Sequence[Outcome]) -> tuple[StripPlot, ...]:
    """Test accuracies, one figure per group; all figures have the same y axis."""
    measured = [run for run in outcomes if run.test_top1 is not None]
    if not measured:
        return ()
    axis = Axis.vertical(run.test_top1 or 0.0 for run in measured)
    return tuple(_strip_plot(title, runs, axis) for title, runs in by_group(measured).items())


def training_curves(outcomes: Sequence[Outcome]) -> tuple[LineChart, ...]:
    """Training loss, and accuracy on validation images where there are some, over the epochs."""
    return (*loss_charts(outcomes), *validation_charts(outcomes))


def validation_charts(outcomes: Sequence[Outcome]) -> tuple[LineChart, ...]:
    """Accuracy on the validation images over the epochs, the mean of the seeds, one figure per group."""
    validated = [run for run in outcomes if run.epochs and run.epochs[-1].val_top1 is not None]
    return tuple(
        line_chart(
            " \u00b7 ".join(part for part in (title, "Validation accuracy") if part),
            {name: _mean_validation(same) for name, same in by_variant(runs).items()},
            ("epoch", "accuracy on validation images"),
            percent,
            partial(percent, decimals=0),
        )
        for title, runs in by_group(validated).items()
    )


def image_charts(outcomes: Sequence[Outcome]) -> tuple[LineChart, ...]:
    """Test accuracy over how often the number of training images is doubled, one curve per variant.

    No figure where all trials have equally many.
    """
    trained = [run for run in outcomes if run.train_images and run.test_top1 is not None]
    counts = _by_images(trained)
    if len(counts) < 3:
        return ()
    curves = {
        name: sorted(
            (round(log2(images / min(counts)), 2), _mean_top1(runs))
            for images, runs in _by_images(same).items()
        )
        for name, same in by_variant(trained).items()
    }
    names = (f"doublings, of {min(counts):,} training images", "test accuracy")
    shown = {name: points for name, points in curves.items() if len(points) > 1}
    return (line_chart("Accuracy and training images", shown, names, percent, partial(percent, decimals=0)),)


def _by_images(outcomes: Sequence[Outcome]) -> dict[int, list[Outcome]]:
    counts: dict[int, list[Outcome]] = {}
    for run in outcomes:
        if run.train_images is not None:
            counts.setdefault(run.train_images, []).append(run)
    return counts


def loss_charts(outcomes: Sequence[Outcome]) -> tuple[LineChart, ...]:
    """Training loss over the epochs, the mean of the seeds, one figure per group."""
    trained = [run for run in outcomes if run.epochs]
    return tuple(
        line_chart(
            title or "Training loss",
            {name: _mean_loss(same) for name, same in by_variant(runs).items()},
            ("epoch", "training loss, nats"),
            "{:.3f}".format,
        )
        for title, runs in by_group(trained).items()
    )


def gradient_charts(outcomes: Sequence[Outcome], step: int) -> tuple[LineChart, ...]:
    """The gradient norm at each layer before ``step``, on a logarithmic scale, one figure per group."""
    probed = [run for run in outcomes if run.gradients]
    return tuple(
        line_chart(
            title,
            {name: _mean_gradient(same, step) for name, same in by_variant(runs).items()},
            ("layer, from the image", "gradient norm"),
            lambda exponent: f"{10**exponent:.1e}",
            tick_text=power_of_ten,
            min_step=1.0,
        )
        for title, runs in by_group(probed).items()
    )


def size_charts(outcomes: Sequence[Outcome]) -> tuple[LineChart, ...]:
    """Test accuracy over how often the bytes of the largest file are halved, one curve per group.

    No figure without compressed networks; a group whose files all have one size has no curve.
    """
    compressed = [run for run in outcomes if run.compressed is not None and run.test_top1 is not None]
    if not compressed:
        return ()
    largest = max(_mean_bytes([run]) for run in compressed)
    groups = {
        name: sorted(
            (round(log2(largest / _mean_bytes(runs)), 2), _mean_top1(runs))
            for runs in by_variant(same).values()
        )
        for name, same in by_group(compressed).items()
    }
    curves = {name: points for name, points in groups.items() if points[-1][0] > points[0][0] + 0.1}
    names = ("halvings, of the bytes of the file", "test accuracy")
    if not curves:
        return ()
    return (line_chart("Accuracy and size", curves, names, percent, partial(percent, decimals=0)),)


def _mean_bytes(runs: Sequence[Outcome]) -> float:
    return fmean(run.compressed.bytes for run in runs if run.compressed is not None)


def _mean_top1(runs: Sequence[Outcome]) -> float:
    return fmean(run.test_top1 for run in runs if run.test_top1 is not None)


def _mean_loss(runs: Sequence[Outcome]) -> list[tuple[int, float]]:
    means = ((each[0].epoch, fmean(result.train_loss for result in each)) for each in _same_epochs(runs))
    return [(epoch, loss) for epoch, loss in means if isfinite(loss)]


def _mean_validation(runs: Sequence[Outcome]) -> list[tuple[int, float]]:
    return [(each[0].epoch, fmean(result.val_top1 or 0.0 for result in each)) for each in _same_epochs(runs)]


def _same_epochs(runs: Sequence[Outcome]) -> list[tuple[EpochResult, ...]]:
    """The results of the epochs that all runs have, of all runs together; a recorded run has some of them."""
    by_epoch = [{result.epoch: result for result in run.epochs} for run in runs]
    common = sorted(set.intersection(*(set(results) for results in by_epoch)))
    return [tuple(results[epoch] for results in by_epoch) for epoch in common]


def _mean_gradient(runs: Sequence[Outcome], step: int) -> list[tuple[int, float]]:
    """The mean exponent over the seeds by layer number, without layers whose gradient is 0."""
    exponents: dict[int, list[float]] = {}
    for run in runs:
        for gradient in run.gradients:
            if gradient.step == step and gradient.norm > 0:
                exponents.setdefault(gradient.number, []).append(log10(gradient.norm))
    return [(number, fmean(values)) for number, values in sorted(exponents.items())]


def _strip_plot(title: str, outcomes: Sequence[Outcome], axis: Axis) -> StripPlot:
    variants = by_variant(outcomes)
    width = (WIDTH - LEFT - RIGHT) / len(variants)
    decimals = 0 if axis.values[1] - axis.values[0] >= 0.01 else 1
    return StripPlot(
        title=title or "Test accuracy",
        y_ticks=axis.ticks(partial(percent, decimals=decimals)),
        columns=tuple(
            _column(name, runs, LEFT + width * (index + 0.5), axis)
            for index, (name, runs) in enumerate(variants.items())
        ),
    )


def _column(name: str, runs: Sequence[Outcome], x: float, axis: Axis) -> StripColumn:
    values = [run.test_top1 or 0.0 for run in runs]
    mean = estimate(values)
    low, high = axis.values[0], axis.values[-1]
    return StripColumn(
        name=name,
        x=x,
        dots=tuple(
            Point(x, axis.position(value), f"{run.name}: {percent(value)}")
            for run, value in zip(runs, values, strict=True)
        ),
        mean=axis.position(mean.mean),
        low=axis.position(max(mean.low, low)),
        high=axis.position(min(mean.high, high)),
        label=f"{name}: mean {percent(mean.mean)} of {mean.count}",
    )
