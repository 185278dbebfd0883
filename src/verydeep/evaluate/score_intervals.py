"""95 % intervals of accuracy, balanced accuracy and F1 that hold with few images, no mistake, and groups.

Wilson's interval with an effective number of images, as for proportions of complex surveys (Korn and
Graubard 1998; Franco et al. 2019): as many independent images as would give the score the same variance.
Percentiles of the bootstrap have no width without mistakes, and are too narrow with few.

A class with few images makes balanced accuracy less certain, and images of one group (cells of one
photograph) are alike: both make the effective number smaller.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from verydeep.evaluate.confidence_intervals import Interval, Z, wilson_interval


@dataclass(frozen=True)
class ScoredImages:
    """Which class each image has and was predicted as, and its group."""

    labels: Int64[np.ndarray, " count"]
    predicted: Int64[np.ndarray, " count"]
    groups: Int64[np.ndarray, " count"]
    """Numbers from 0; single images are groups of one."""
    classes: int

    def by_class(
        self, labels: Int64[np.ndarray, " count"], values: Float64[np.ndarray, " count"]
    ) -> Float64[np.ndarray, " classes"]:
        """The sum of ``values`` for each of ``labels``."""
        return np.bincount(labels, weights=values, minlength=self.classes)

    def by_group(self, values: Float64[np.ndarray, " count"]) -> Float64[np.ndarray, " groups"]:
        """The sum of ``values`` for each group."""
        return np.bincount(self.groups, weights=values)


def accuracy_interval(images: ScoredImages, correct: Float64[np.ndarray, " count"]) -> Interval:
    """Of the share of ``correct`` images; without groups Wilson's."""
    share, weight = correct.mean(), np.full(len(correct), 1 / len(correct))
    return _interval(images, float(share), (correct - share) * weight, weight)


def balanced_accuracy_interval(images: ScoredImages) -> Interval:
    """Of the mean recall of the classes that have images."""
    correct = (images.labels == images.predicted).astype(np.float64)
    count = images.by_class(images.labels, np.ones_like(correct))
    hits, present = images.by_class(images.labels, correct), count > 0
    score = float((hits[present] / count[present]).mean())
    weight = 1 / (count[images.labels] * present.sum())
    # Shrunk towards the score: the recall of a class of one image is 0 or 1 and has no spread of its own.
    recall = (hits + Z * Z * score) / (count + Z * Z)
    return _interval(images, score, (correct - recall[images.labels]) * weight, weight)


def macro_f1_interval(images: ScoredImages) -> Interval:
    """Of the mean F1 of the classes that have images."""
    hit = (images.labels == images.predicted).astype(np.float64)
    one = np.ones_like(hit)
    count = images.by_class(images.labels, one)
    both = count + images.by_class(images.predicted, one)
    present = count > 0
    classes = present.sum()
    f1 = 2 * images.by_class(images.labels, hit) / np.maximum(both, 1)
    score = float(f1[present].mean())
    shrunk = (f1 * count + Z * Z * score) / (count + Z * Z)
    per_prediction = np.where(present, shrunk / np.maximum(both, 1), 0)
    # The derivative of 2 hits / (images + predicted), summed over the image's class and its prediction.
    influence = (2 * hit - shrunk[images.labels]) / both[images.labels] - per_prediction[images.predicted]
    return _interval(images, score, influence / classes, 1 / (count[images.labels] * classes))


def _interval(
    images: ScoredImages,
    score: float,
    influence: Float64[np.ndarray, " count"],
    weight: Float64[np.ndarray, " count"],
) -> Interval:
    """Wilson's with the effective number of images.

    Few mistakes tell little of the variance. So the design effect (variance over that of independent images
    of equal difficulty) is averaged with the greatest one, of groups whose images are all right or all wrong,
    as if that were measured on z squared mistakes: as many as Wilson's interval adds.

    Args:
        images: with their groups.
        score: the measured value.
        influence: of each image on the score.
        weight: of each image in the score; their sum is 1.
    """
    independent = float(1 / np.square(weight).sum())
    alike = independent * float(np.square(images.by_group(weight)).sum())
    mistakes = independent * score * (1 - score)
    groups = int(images.groups.max()) + 1
    variance = float(np.square(images.by_group(influence)).sum())
    if 1 < groups < len(weight):
        variance *= groups / (groups - 1)
    effect = (independent**2 * variance + Z * Z * alike) / (mistakes + Z * Z)
    count = independent / effect
    return Interval(score, *wilson_interval(score * count, count))
