"""What rejecting unsure predictions costs and gains: coverage against accuracy (selective classification).

Coverage is the share of images that get an answer. Geifman and El-Yaniv 2017 (Selective Classification for
Deep Neural Networks), section 2, with the confidence of the predicted class.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from verydeep.probabilities import softmax

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """The images whose confidence is not below a threshold. All values are in [0, 1]."""

    reject_below: float
    """The threshold."""
    coverage: float
    """The share of images that get an answer."""
    accuracy: float | None
    """Of these; None where no image gets one."""


def measure_coverage(
    logits: Float[np.ndarray, "count classes"],
    labels: Int64[np.ndarray, " count"],
    thresholds: tuple[float, ...] = THRESHOLDS,
) -> tuple[Coverage, ...]:
    """Coverage and accuracy at each of ``thresholds``; ``logits`` are divided by their temperature."""
    confidence, correct = softmax(logits).max(1), logits.argmax(1) == labels
    points = []
    for threshold in thresholds:
        is_answered = confidence >= threshold
        accuracy = float(correct[is_answered].mean()) if is_answered.any() else None
        points.append(Coverage(reject_below=threshold, coverage=float(is_answered.mean()), accuracy=accuracy))
    return tuple(points)
