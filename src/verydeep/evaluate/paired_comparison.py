"""Two networks on the same images: the difference of their balanced accuracy, with its 95 % interval."""

from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from verydeep.evaluate.bootstrap import image_units, resampled_balanced_accuracy
from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.score_intervals import ScoredImages, balanced_accuracy_interval


@dataclass(frozen=True, kw_only=True)
class PairedComparison:
    """Two networks, the first and the second, on the same images."""

    images: int
    groups: int | None
    """How many groups of images that are alike; None where images are independent."""
    first: Interval
    """Balanced accuracy in [0, 1]."""
    second: Interval
    difference: Interval
    """The second minus the first."""
    only_first: int
    """Images that only the first predicts correctly."""
    only_second: int

    @property
    def is_significant(self) -> bool:
        """Whether the interval of the difference leaves out zero."""
        return not self.difference.low <= 0 <= self.difference.high

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def compare_paired(
    first: Float[np.ndarray, "count classes"],
    second: Float[np.ndarray, "count classes"],
    labels: Int64[np.ndarray, " count"],
    groups: tuple[str, ...] | None = None,
) -> PairedComparison:
    """The comparison of the logits of two networks for the same images.

    Args:
        first: logits of the one network.
        second: of the other.
        labels: indices of the classes.
        groups: one per image; the images of a group are alike. None for independent images.
    """
    units = image_units(labels, groups)
    right = [logits.argmax(1) == labels for logits in (first, second)]
    one, other = (
        balanced_accuracy_interval(ScoredImages(labels, logits.argmax(1), units.of_image, logits.shape[1]))
        for logits in (first, second)
    )
    resampled = np.stack([resampled_balanced_accuracy(each, labels, groups) for each in (first, second)])
    return PairedComparison(
        images=len(labels),
        groups=None if groups is None else units.count,
        first=one,
        second=other,
        difference=_difference(one, other, _correlation(resampled)),
        only_first=int((right[0] & ~right[1]).sum()),
        only_second=int((right[1] & ~right[0]).sum()),
    )


def _correlation(resampled: Float[np.ndarray, "2 resamples"]) -> float:
    """Of the two balanced accuracies over resamples of the images; 0 where one of them does not vary."""
    if resampled.std(1).min() == 0:
        return 0.0
    return min(1.0, max(-1.0, float(np.corrcoef(resampled)[0, 1])))


def _difference(first: Interval, second: Interval, correlation: float) -> Interval:
    """``second`` minus ``first``, by their own intervals and their correlation.

    Newcombe 1998, method 10, for any two estimates (Zou and Donner 2008). Unlike percentiles of the
    bootstrap, it has a width where both make the same mistakes, or none.
    """

    def reach(one: float, other: float) -> float:
        return sqrt(max(0.0, one * one + other * other - 2 * correlation * one * other))

    difference = second.value - first.value
    below = reach(second.value - second.low, first.high - first.value)
    above = reach(second.high - second.value, first.value - first.low)
    return Interval(difference, max(-1.0, difference - below), min(1.0, difference + above))
