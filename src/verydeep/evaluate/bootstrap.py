"""Confidence intervals of accuracy, loss and F1 by the bootstrap: resampling images, or groups of images.

Efron 1979. Images of one group (cells of one photograph) are similar and count less than independent images.
So where there are groups, whole groups are resampled (Field and Welsh 2007), and the interval is wider.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor
from torch.nn import functional

from verydeep.evaluate.confidence_intervals import Interval, wilson_interval

RESAMPLES = 1000
LEVEL = 0.95
SEED = 0
_VALUES = 20_000_000  # weights that are in memory at a time

MEASURES = ("top1", "top5", "loss", "balanced_accuracy", "macro_f1")


@dataclass(frozen=True)
class _Predictions:
    """What is resampled: one row per image, and the unit (group or image) that it belongs to."""

    unit: Int64[Tensor, " count"]
    units: int
    labels: Int64[Tensor, " count"]
    predicted: Int64[Tensor, " count"]
    classes: int
    per_image: Float64[Tensor, "count values"]
    """What is averaged over images: top-1 correct, top-5 correct, loss."""


def bootstrap_intervals(
    logits: Float[Tensor, "count classes"],
    labels: Int64[Tensor, " count"],
    groups: tuple[str, ...] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> dict[str, Interval]:
    """95 % intervals for each of ``MEASURES``.

    Percentiles of the resamples; for top1 and top5 of ungrouped images Wilson's interval, which is better. A
    class that has no image in a resample is left out of its means. Where no prediction is wrong, percentiles
    have no width.

    Args:
        logits: of the images.
        labels: indices of their classes.
        groups: one per image; the images of a group are resampled together. None resamples single images.
        resamples: how many.
        seed: the same seed gives the same intervals.
    """
    resampled = resampled_measures(logits, labels, groups, resamples=resamples, seed=seed)
    tail = (1 - LEVEL) / 2
    low, high = resampled.quantile(torch.tensor([tail, 1 - tail]), dim=0).tolist()
    predictions = _predictions(logits, labels, groups)
    (values,) = _measures(predictions, torch.ones(len(labels), 1, dtype=torch.float64)).tolist()
    intervals = {name: Interval(*each) for name, *each in zip(MEASURES, values, low, high, strict=True)}
    if groups is None:
        intervals |= {name: _binomial(intervals[name].value, len(labels)) for name in ("top1", "top5")}
    return intervals


def resampled_measures(
    logits: Float[Tensor, "count classes"],
    labels: Int64[Tensor, " count"],
    groups: tuple[str, ...] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Float32[Tensor, "resamples measures"]:
    """Each of ``MEASURES`` (a column) in each resample (a row).

    The same seed resamples the same images, whatever the logits: two networks may be compared row by row.
    """
    predictions = _predictions(logits, labels, groups)
    generator = torch.Generator().manual_seed(seed)
    at_once = max(1, min(resamples, _VALUES // len(labels)))
    chunks = [min(at_once, resamples - start) for start in range(0, resamples, at_once)]
    return torch.cat([_measures(predictions, _weights(predictions, chunk, generator)) for chunk in chunks])


def resampled_balanced_accuracy(
    logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"], groups: tuple[str, ...] | None
) -> Float32[Tensor, " resamples"]:
    """Balanced accuracy in each resample."""
    return resampled_measures(logits, labels, groups)[:, MEASURES.index("balanced_accuracy")]


def _binomial(share: float, count: int) -> Interval:
    return Interval(share, *wilson_interval(round(share * count), count))


def _predictions(logits: Tensor, labels: Tensor, groups: tuple[str, ...] | None) -> _Predictions:
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups or ()))}
    best = logits.topk(min(5, logits.shape[1])).indices == labels[:, None]
    losses = functional.cross_entropy(logits.double(), labels, reduction="none")
    return _Predictions(
        unit=torch.tensor([numbers[group] for group in groups]) if groups else torch.arange(len(labels)),
        units=len(numbers) if groups else len(labels),
        labels=labels,
        predicted=logits.argmax(1),
        classes=logits.shape[1],
        per_image=torch.stack([best[:, 0].double(), best.any(1).double(), losses], dim=1),
    )


def _weights(
    predictions: _Predictions, resamples: int, generator: torch.Generator
) -> Float32[Tensor, "count resamples"]:
    """How often each image is in each resample of as many units as there are."""
    sampled = torch.randint(predictions.units, (predictions.units, resamples), generator=generator)
    times = torch.zeros(predictions.units, resamples)
    times.scatter_add_(0, sampled, torch.ones_like(times))
    return times[predictions.unit]


def _measures(
    predictions: _Predictions, weights: Float[Tensor, "count resamples"]
) -> Float[Tensor, "resamples measures"]:
    """``MEASURES`` for each column of weights, in the precision of the weights."""
    means = weights.T @ predictions.per_image.to(weights.dtype) / weights.sum(0)[:, None]
    is_correct = predictions.predicted == predictions.labels

    def per_class(classes: Tensor, values: Tensor) -> Tensor:
        empty = torch.zeros(predictions.classes, weights.shape[1], dtype=weights.dtype)
        return empty.index_add_(0, classes, values)

    images = per_class(predictions.labels, weights)
    predicted = per_class(predictions.predicted, weights)
    correct = per_class(predictions.labels[is_correct], weights[is_correct])
    has_images = images > 0
    present = has_images.sum(0)
    recall = (correct / images.clamp_min(1)).sum(0) / present
    f1 = torch.where(has_images, 2 * correct / (images + predicted).clamp_min(1), 0).sum(0) / present
    return torch.cat([means, torch.stack([recall, f1], dim=1)], dim=1)
