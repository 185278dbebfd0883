"""Two networks on the same images: the difference of their accuracy or balanced accuracy, with its interval.

Adjusted Wald interval for paired proportions (Bonett and Price 2012), which has a width where both networks
are right on the same images. Images that are alike, or count more than others, make the effective number of
images smaller, as in ``score_intervals.py``.
"""

from math import sqrt

import numpy as np
from jaxtyping import Float, Float64, Int64

from verydeep.evaluate.bootstrap import image_units
from verydeep.evaluate.confidence_intervals import Interval, Z

Z_ONE_SIDED = 1.6448536269514722
"""One-sided 95 % of the normal distribution."""


def paired_difference(
    first: Float[np.ndarray, "count classes"],
    second: Float[np.ndarray, "count classes"],
    labels: Int64[np.ndarray, " count"],
    groups: tuple[str, ...] | None = None,
    *,
    balanced: bool = False,
    z: float = Z,
) -> Interval:
    """The accuracy of the ``second`` logits minus that of the ``first``, in [-1, 1].

    Args:
        first: logits of the one network.
        second: of the other.
        labels: indices of the classes.
        groups: one per image; the images of a group are alike. None for independent images.
        balanced: compare balanced accuracy, in which each class counts the same.
        z: of the normal distribution; with ``Z_ONE_SIDED`` each end is a one-sided 95 % bound.
    """
    weights = _weights(labels, balanced)
    right = [(logits.argmax(1) == labels).astype(np.float64) for logits in (first, second)]
    changes = right[1] - right[0]
    difference = float((weights * changes).sum())
    count = _effective_count(weights, changes - difference, image_units(labels, groups).of_image)
    lost, won = (float(weights[changes == sign].sum()) for sign in (-1, 1))
    lost, won = (count * lost + 1) / (count + 2), (count * won + 1) / (count + 2)
    reach = z * sqrt(max(0.0, lost + won - (won - lost) ** 2) / (count + 2))
    low, high = max(-1.0, won - lost - reach), min(1.0, won - lost + reach)
    return Interval(difference, min(low, difference), max(high, difference))


def _weights(labels: Int64[np.ndarray, " count"], balanced: bool) -> Float64[np.ndarray, " count"]:
    """The weight of each image in the accuracy; their sum is 1."""
    if not balanced:
        return np.full(len(labels), 1 / len(labels))
    images = np.bincount(labels)
    return np.asarray(1 / (images[labels] * (images > 0).sum()))


def _effective_count(
    weights: Float64[np.ndarray, " count"],
    deviations: Float64[np.ndarray, " count"],
    groups: Int64[np.ndarray, " count"],
) -> float:
    """As many independent images as give the difference the same variance."""
    influence = weights * deviations
    alone = float(np.square(influence).sum())
    together = float(np.square(np.bincount(groups, weights=influence)).sum())
    effect = max(1.0, together / alone) if alone > 0 else 1.0
    return 1 / float(np.square(weights).sum()) / effect
