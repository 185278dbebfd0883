"""Confidence intervals of all that is measured, and the bootstrap: resampling images, or groups of images.

The bootstrap (Efron 1979) gives the interval of the loss, and compares networks on the same resamples. Images
of one group (cells of one photograph) are similar and count less than independent images. So where there are
groups, whole groups are resampled (Field and Welsh 2007), and the interval is wider.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
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
class ImageUnits:
    """What is resampled: each image belongs to a unit, which is its group or itself."""

    of_image: Int64[Tensor, " count"]
    """Numbers from 0."""
    count: int


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
    units = image_units(labels, groups)
    best = logits.topk(min(5, logits.shape[1])).indices == labels[:, None]
    images = ScoredImages(labels, logits.argmax(1), units.of_image, logits.shape[1])
    return {
        "top1": accuracy_interval(images, best[:, 0].double()),
        "top5": accuracy_interval(images, best.any(1).double()),
        "loss": _loss_interval(logits, labels, units, resamples, seed),
        "balanced_accuracy": balanced_accuracy_interval(images),
        "macro_f1": macro_f1_interval(images),
    }


def resampled_balanced_accuracy(
    logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"], groups: tuple[str, ...] | None
) -> Float32[Tensor, " resamples"]:
    """Balanced accuracy in each resample.

    The same images are resampled, whatever the logits: two networks may be compared row by row.
    """
    is_correct, classes = logits.argmax(1) == labels, logits.shape[1]

    def measure(weights: Tensor) -> Tensor:
        empty = torch.zeros(classes, weights.shape[1])
        images = empty.index_add(0, labels, weights)
        correct = empty.index_add(0, labels[is_correct], weights[is_correct])
        return (correct / images.clamp_min(1)).sum(0) / (images > 0).sum(0)

    weights = _resampled_weights(image_units(labels, groups), RESAMPLES, SEED)
    return torch.cat([measure(chunk) for chunk in weights])


def _loss_interval(logits: Tensor, labels: Tensor, units: ImageUnits, resamples: int, seed: int) -> Interval:
    losses = functional.cross_entropy(logits.double(), labels, reduction="none")
    weights = _resampled_weights(units, resamples, seed)
    means = torch.cat([chunk.T @ losses.float() / chunk.sum(0) for chunk in weights])
    tail = (1 - LEVEL) / 2
    low, high = means.quantile(torch.tensor([tail, 1 - tail])).tolist()
    return Interval(float(losses.mean()), low, high)


def image_units(labels: Int64[Tensor, " count"], groups: tuple[str, ...] | None) -> ImageUnits:
    """The groups of the images, or each image for itself where there are no ``groups``."""
    if groups is None:
        return ImageUnits(torch.arange(len(labels)), len(labels))
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return ImageUnits(torch.tensor([numbers[group] for group in groups]), len(numbers))


def _resampled_weights(
    units: ImageUnits, resamples: int, seed: int
) -> Iterator[Float32[Tensor, "count resamples"]]:
    """How often each image is in each resample of as many units as there are; some resamples at a time."""
    generator = torch.Generator().manual_seed(seed)
    at_once = max(1, min(resamples, _VALUES // len(units.of_image)))
    for start in range(0, resamples, at_once):
        size = (units.count, min(at_once, resamples - start))
        sampled = torch.randint(units.count, size, generator=generator)
        times = torch.zeros(size)
        times.scatter_add_(0, sampled, torch.ones_like(times))
        yield times[units.of_image]
