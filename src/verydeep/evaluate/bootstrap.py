"""Confidence intervals of all that is measured, and the bootstrap: resampling images, or groups of images.

The bootstrap (Efron 1979) gives the interval of the loss, and compares networks on the same resamples. Images
of one group (cells of one photograph) are similar and count less than independent images. So where there are
groups, whole groups are resampled (Field and Welsh 2007), and the interval is wider.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor
from torch.nn import functional

from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.score_intervals import (
    ScoredImages,
    accuracy_interval,
    balanced_accuracy_interval,
    macro_f1_interval,
)

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


def confidence_intervals(
    logits: Float[Tensor, "count classes"],
    labels: Int64[Tensor, " count"],
    groups: tuple[str, ...] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> dict[str, Interval]:
    """95 % intervals for each of ``MEASURES``.

    Those of the loss are percentiles of the resamples; those of all others are from ``score_intervals.py``,
    which hold without mistakes too. A class that has no image is left out of the means.

    Args:
        logits: of the images.
        labels: indices of their classes.
        groups: one per image; the images of a group are alike. None for independent images.
        resamples: how many.
        seed: the same seed gives the same intervals.
    """
    resampled = resampled_measures(logits, labels, groups, resamples=resamples, seed=seed)
    predictions = _predictions(logits, labels, groups)
    top1, top5, losses = predictions.per_image.unbind(1)
    tail = (1 - LEVEL) / 2
    low, high = resampled[:, MEASURES.index("loss")].quantile(torch.tensor([tail, 1 - tail])).tolist()
    images = ScoredImages(labels, predictions.predicted, predictions.unit, predictions.classes)
    return {
        "top1": accuracy_interval(images, top1),
        "top5": accuracy_interval(images, top5),
        "loss": Interval(float(losses.mean()), low, high),
        "balanced_accuracy": balanced_accuracy_interval(images),
        "macro_f1": macro_f1_interval(images),
    }


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
