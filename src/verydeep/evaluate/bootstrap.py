"""Confidence intervals of all that is measured, and the bootstrap: resampling images, or groups of images.

The bootstrap (Efron 1979) gives the interval of the loss, and compares networks on the same resamples. Images
of one group (cells of one photograph) are similar and count less than independent images. So where there are
groups, whole groups are resampled (Field and Welsh 2007), and the interval is wider.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.metrics import ranks_of_labels
from verydeep.evaluate.score_intervals import (
    ScoredImages,
    accuracy_interval,
    balanced_accuracy_interval,
    macro_f1_interval,
)
from verydeep.probabilities import cross_entropies

RESAMPLES = 1000
LEVEL = 0.95
SEED = 0
_VALUES = 10_000_000  # weights that are in memory at a time

MEASURES = ("top1", "top5", "loss", "balanced_accuracy", "macro_f1")


@dataclass(frozen=True)
class ImageUnits:
    """What is resampled: each image belongs to a unit, which is its group or itself."""

    of_image: Int64[np.ndarray, " count"]
    """Numbers from 0."""
    count: int


def confidence_intervals(
    logits: Float[np.ndarray, "count classes"],
    labels: Int64[np.ndarray, " count"],
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
    ranks = ranks_of_labels(logits, labels)
    top1, top5 = ((ranks < k).astype(np.float64) for k in (1, 5))
    images = ScoredImages(labels, logits.argmax(1), units.of_image, logits.shape[1])
    return {
        "top1": accuracy_interval(images, top1),
        "top5": accuracy_interval(images, top5),
        "loss": _loss_interval(logits, labels, units, resamples, seed),
        "balanced_accuracy": balanced_accuracy_interval(images),
        "macro_f1": macro_f1_interval(images),
    }


def resampled_balanced_accuracy(
    logits: Float[np.ndarray, "count classes"],
    labels: Int64[np.ndarray, " count"],
    groups: tuple[str, ...] | None,
) -> Float64[np.ndarray, " resamples"]:
    """Balanced accuracy in each resample.

    The same images are resampled, whatever the logits: two networks may be compared row by row.
    """
    by_class = np.argsort(labels, kind="stable")
    is_correct = (logits.argmax(1) == labels)[by_class]
    _, starts = np.unique(labels[by_class], return_index=True)

    def measure(weights: Float32[np.ndarray, "resamples count"]) -> Float64[np.ndarray, " resamples"]:
        weights = weights[:, by_class]
        images, correct = (
            np.add.reduceat(each, starts, axis=1, dtype=np.float64)
            for each in (weights, weights * is_correct)
        )
        return np.asarray((correct / np.maximum(images, 1)).sum(1) / (images > 0).sum(1))

    weights = _resampled_weights(image_units(labels, groups), RESAMPLES, SEED)
    return np.concatenate([measure(chunk) for chunk in weights])


def _loss_interval(
    logits: Float[np.ndarray, "count classes"],
    labels: Int64[np.ndarray, " count"],
    units: ImageUnits,
    resamples: int,
    seed: int,
) -> Interval:
    losses = cross_entropies(logits, labels)
    weights = _resampled_weights(units, resamples, seed)
    means = np.concatenate([chunk @ losses.astype(np.float32) / chunk.sum(1) for chunk in weights])
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail]).tolist()
    return Interval(float(losses.mean()), low, high)


def image_units(labels: Int64[np.ndarray, " count"], groups: tuple[str, ...] | None) -> ImageUnits:
    """The groups of the images, or each image for itself where there are no ``groups``."""
    if groups is None:
        return ImageUnits(np.arange(len(labels)), len(labels))
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return ImageUnits(np.array([numbers[group] for group in groups]), len(numbers))


def _resampled_weights(
    units: ImageUnits, resamples: int, seed: int
) -> Iterator[Float32[np.ndarray, "resamples count"]]:
    """How often each image is in each resample of as many units as there are; some resamples at a time."""
    random = np.random.default_rng(seed)
    at_once = max(1, min(resamples, _VALUES // len(units.of_image)))
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        sampled = random.integers(units.count, size=(rows, units.count))
        sampled += np.arange(rows)[:, None] * units.count  # each resample has its own numbers
        times = np.bincount(sampled.ravel(), minlength=rows * units.count).reshape(rows, units.count)
        yield times.astype(np.float32)[:, units.of_image]
