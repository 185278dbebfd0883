"""How far measured numbers can be trusted: intervals from resampling the images, or whole groups of them.

Efron 1979. Images of one group (cells of one photograph) are alike and count less than as many that are
not, so that where there are groups, groups are drawn (Field and Welsh 2007): the interval is wider.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor
from torch.nn import functional

from verydeep.evaluate.confidence_intervals import Interval, wilson_interval

DRAWS = 1000
LEVEL = 0.95
SEED = 0
_VALUES = 20_000_000  # weights that are in memory at a time


@dataclass(frozen=True)
class _Images:
    """What is resampled: a row an image, and the unit that each belongs to."""

    unit: Int64[Tensor, " count"]
    units: int
    labels: Int64[Tensor, " count"]
    predicted: Int64[Tensor, " count"]
    classes: int
    sums: Float64[Tensor, "count values"]
    """What is averaged over images: whether it is right, whether among the best five, its loss."""


NAMES = ("top1", "top5", "loss", "balanced_accuracy", "macro_f1")


def bootstrap(
    logits: Float[Tensor, "count classes"],
    labels: Int64[Tensor, " count"],
    groups: tuple[str, ...] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
) -> dict[str, Interval]:
    """Intervals of 95 % for ``top1``, ``top5``, ``loss``, ``balanced_accuracy``, ``macro_f1``.

    They are percentiles of the draws, but for top1 and top5 of images that are each for itself, which
    Wilson's interval serves better. A class that a draw leaves without images is left out of its means.
    Where not one image is wrong, percentiles have no width: mistakes that were not seen cannot be drawn.

    Args:
        logits: of the images.
        labels: indices of their classes.
        groups: one an image; those of a group are drawn together. None where each image is for itself.
        draws: how often the data are drawn anew.
        seed: the same seed gives the same intervals.
    """
    drawn = drawn_measures(logits, labels, groups, draws=draws, seed=seed)
    tail = (1 - LEVEL) / 2
    low, high = drawn.quantile(torch.tensor([tail, 1 - tail]), dim=0).tolist()
    images = _images(logits, labels, groups)
    (values,) = _measures(images, torch.ones(len(labels), 1, dtype=torch.float64)).tolist()
    intervals = {name: Interval(*each) for name, *each in zip(NAMES, values, low, high, strict=True)}
    if groups is None:
        intervals |= {name: _binomial(intervals[name].value, len(labels)) for name in ("top1", "top5")}
    return intervals


def drawn_measures(
    logits: Float[Tensor, "count classes"],
    labels: Int64[Tensor, " count"],
    groups: tuple[str, ...] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Float32[Tensor, "draws measures"]:
    """What is measured in each draw, a column for each of ``NAMES``.

    The same images are drawn for the same seed, whatever the logits: two networks may be compared draw by
    draw.
    """
    images = _images(logits, labels, groups)
    generator = torch.Generator().manual_seed(seed)
    at_once = max(1, min(draws, _VALUES // len(labels)))
    parts = [min(at_once, draws - start) for start in range(0, draws, at_once)]
    return torch.cat([_measures(images, _weights(images, part, generator)) for part in parts])


def _binomial(share: float, count: int) -> Interval:
    return Interval(share, *wilson_interval(round(share * count), count))


def _images(logits: Tensor, labels: Tensor, groups: tuple[str, ...] | None) -> _Images:
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups or ()))}
    best = logits.topk(min(5, logits.shape[1])).indices == labels[:, None]
    losses = functional.cross_entropy(logits.double(), labels, reduction="none")
    return _Images(
        unit=torch.tensor([numbers[group] for group in groups]) if groups else torch.arange(len(labels)),
        units=len(numbers) if groups else len(labels),
        labels=labels,
        predicted=logits.argmax(1),
        classes=logits.shape[1],
        sums=torch.stack([best[:, 0].double(), best.any(1).double(), losses], dim=1),
    )


def _weights(images: _Images, draws: int, generator: torch.Generator) -> Float32[Tensor, "count draws"]:
    """How often each image is in each draw of as many units as there are."""
    drawn = torch.randint(images.units, (images.units, draws), generator=generator)
    times = torch.zeros(images.units, draws)
    times.scatter_add_(0, drawn, torch.ones_like(times))
    return times[images.unit]


def _measures(images: _Images, weights: Float[Tensor, "count draws"]) -> Float[Tensor, "draws values"]:
    """What ``NAMES`` lists, for each column of weights, as precisely as these are given."""
    means = weights.T @ images.sums.to(weights.dtype) / weights.sum(0)[:, None]
    right = images.predicted == images.labels

    def of_class(places: Tensor, values: Tensor) -> Tensor:
        empty = torch.zeros(images.classes, weights.shape[1], dtype=weights.dtype)
        return empty.index_add_(0, places, values)

    held = of_class(images.labels, weights)
    taken = of_class(images.predicted, weights)
    hit = of_class(images.labels[right], weights[right])
    is_there = held > 0
    present = is_there.sum(0)
    recall = (hit / held.clamp_min(1)).sum(0) / present
    f1 = torch.where(is_there, 2 * hit / (held + taken).clamp_min(1), 0).sum(0) / present
    return torch.cat([means, torch.stack([recall, f1], dim=1)], dim=1)
