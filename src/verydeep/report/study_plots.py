"""The line plots of a study as geometry: loss and accuracy over epochs, images and bytes, gradient norms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite, log2, log10
from operator import attrgetter
from statistics import fmean, median

from verydeep.number_format import percent
from verydeep.report.charts.axis import power_of_ten
from verydeep.report.charts.line_chart import LineChart, line_chart
from verydeep.study.trial import Outcome, by_group, by_variant
from verydeep.train.epoch_result import EpochResult


def training_curves(outcomes: Sequence[Outcome]) -> tuple[LineChart, ...]:
    """Training loss, and loss and accuracy on validation images where there are some, over the epochs."""
    return (*loss_charts(outcomes), *validation_charts(outcomes))


def validation_charts(outcomes: Sequence[Outcome]) -> tuple[LineChart, ...]:
    """Loss and accuracy on the validation images over the epochs, the median of the seeds, for each group."""
    validated = [run for run in outcomes if run.epochs and run.epochs[-1].val_top1 is not None]
    return tuple(
        line_chart(
            " \u00b7 ".join(part for part in (title, f"Validation {each.name}") if part),
            {name: _medians(same, each.of_epoch) for name, same in by_variant(runs).items()},
            ("epoch", each.axis_name),
            each.text,
            each.tick_text,
        )
        for title, runs in by_group(validated).items()
        for each in _VALIDATION
    )


def image_charts(outcomes: Sequence[Outcome]) -> tuple[LineChart, ...]:
    """Test accuracy over the number of training images, on a logarithmic scale, one curve per variant.

    No figure where all trials have equally many.
    """
    trained = [run for run in outcomes if run.train_images and run.test_top1 is not None]
    if len(_by_images(trained)) < 3:
        return ()
    curves = {
        name: sorted((images, _mean_top1(runs)) for images, runs in _by_images(same).items())
        for name, same in by_variant(trained).items()
    }
    shown = {name: points for name, points in curves.items() if len(points) > 1}
    names = ("training images", "test accuracy")
    whole = partial(percent, decimals=0)
    return (line_chart("Accuracy and training images", shown, names, percent, whole, log_x=True),)


def _by_images(outcomes: Sequence[Outcome]) -> dict[int, list[Outcome]]:
    counts: dict[int, list[Outcome]] = {}
    for run in outcomes:
        if run.train_images is not None:
            counts.setdefault(run.train_images, []).append(run)
    return counts


def loss_charts(outcomes: Sequence[Outcome]) -> tuple[LineChart, ...]:
    """Training loss over the epochs, the median of the seeds, one figure per group."""
    trained = [run for run in outcomes if run.epochs]
    return tuple(
        line_chart(
            title or "Training loss",
            {name: _medians(same, attrgetter("train_loss")) for name, same in by_variant(runs).items()},
            ("epoch", "training loss, nats"),
            _loss_text,
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


def _medians(
    runs: Sequence[Outcome], value: Callable[[EpochResult], float | None]
) -> list[tuple[int, float]]:
    """The median of ``value`` over the seeds by epoch, without values that are not finite.

    One seed whose training breaks down for an epoch would hide all other curves in a mean.
    """
    by_epoch = (
        (each[0].epoch, [found for result in each if (found := value(result)) is not None])
        for each in _same_epochs(runs)
    )
    finite = ((epoch, [each for each in values if isfinite(each)]) for epoch, values in by_epoch)
    return [(epoch, median(values)) for epoch, values in finite if values]


def _same_epochs(runs: Sequence[Outcome]) -> list[tuple[EpochResult, ...]]:
    """The results of the epochs that all runs have, of all runs together; a recorded run has some of them.

    Runs that were stopped are left out where others were not: they would cut the curve.
    """
    learned = [run for run in runs if run.failed is None] or runs
    by_epoch = [{result.epoch: result for result in run.epochs} for run in learned]
    common = sorted(set.intersection(*(set(results) for results in by_epoch)))
    return [tuple(results[epoch] for results in by_epoch) for epoch in common]


def _loss_text(loss: float) -> str:
    return f"{loss:.3f}"


@dataclass(frozen=True, kw_only=True)
class _Quantity:
    """What is drawn of the validation images."""

    name: str
    of_epoch: Callable[[EpochResult], float | None]
    axis_name: str
    text: Callable[[float], str]
    tick_text: Callable[[float], str]


_VALIDATION = (
    _Quantity(
        name="loss",
        of_epoch=attrgetter("val_loss"),
        axis_name="loss on validation images, nats",
        text=_loss_text,
        tick_text="{:g}".format,
    ),
    _Quantity(
        name="accuracy",
        of_epoch=attrgetter("val_top1"),
        axis_name="accuracy on validation images",
        text=percent,
        tick_text=partial(percent, decimals=0),
    ),
)


def _mean_gradient(runs: Sequence[Outcome], step: int) -> list[tuple[int, float]]:
    """The mean exponent over the seeds by layer number, without layers whose gradient is 0."""
    exponents: dict[int, list[float]] = {}
    for run in runs:
        for gradient in run.gradients:
            if gradient.step == step and gradient.norm > 0:
                exponents.setdefault(gradient.number, []).append(log10(gradient.norm))
    return [(number, fmean(values)) for number, values in sorted(exponents.items())]
