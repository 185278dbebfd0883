"""What rejecting unsure predictions costs and gains: coverage against accuracy (selective classification).

Coverage is the share of images that get an answer. Geifman and El-Yaniv 2017 (Selective Classification for
Deep Neural Networks), section 2, with the confidence of the predicted class.
"""

from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor

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
    logits: Float[Tensor, "count classes"],
    labels: Int64[Tensor, " count"],
    thresholds: tuple[float, ...] = THRESHOLDS,
) -> tuple[Coverage, ...]:
    """Coverage and accuracy at each of ``thresholds``; ``logits`` are divided by their temperature."""
    confidence, predicted = logits.softmax(1).max(1)
    correct = predicted == labels
    points = []
    for threshold in thresholds:
        is_answered = confidence >= threshold
        accuracy = float(correct[is_answered].double().mean()) if is_answered.any() else None
        points.append(
            Coverage(reject_below=threshold, coverage=float(is_answered.double().mean()), accuracy=accuracy)
        )
    return tuple(points)
