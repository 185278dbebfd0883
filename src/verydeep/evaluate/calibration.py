"""Calibration: does confidence equal accuracy? And temperature scaling, which corrects it.

Guo et al. 2017 (On Calibration of Modern Neural Networks): reliability diagram and calibration error in
section 2, temperature scaling in section 4.2. The temperature is fitted on validation images, never on test
images.
"""

from dataclasses import dataclass
from math import exp, log
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from verydeep.architecture.description import MAX_TEMPERATURE, MIN_TEMPERATURE
from verydeep.errors import DataError
from verydeep.probabilities import cross_entropies, require_finite, softmax

BINS = 15
_HALVINGS = 50  # of the range of its logarithm: to 1e-14


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """Images that were predicted with about the same confidence. All but the count are in [0, 1]."""

    low: float
    high: float
    """The range of the confidence, the probability of the predicted class: above ``low``, up to ``high``."""
    images: int
    confidence: float
    """Their mean confidence."""
    accuracy: float
    """The share of correct predictions."""


@dataclass(frozen=True)
class Calibration:
    """Confidence against accuracy: the values of a reliability diagram."""

    bins: tuple[CalibrationBin, ...]
    """Those that have images, the lowest confidence first."""

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of accuracy from confidence (eq. 3)."""
        images = sum(each.images for each in self.bins)
        return sum(each.images * abs(each.accuracy - each.confidence) for each in self.bins) / images


def measure_calibration(
    logits: Float[np.ndarray, "count classes"], labels: Int64[np.ndarray, " count"], bins: int = BINS
) -> Calibration:
    """Confidence and accuracy in ``bins`` of equal width."""
    confidence, correct = softmax(logits).max(1), logits.argmax(1) == labels
    edges = np.linspace(0, 1, bins + 1)
    indices = np.searchsorted(edges[1:-1], confidence)
    count, confidences, corrects = (
        np.bincount(indices, weights=values, minlength=bins)
        for values in (np.ones(len(labels)), confidence, correct)
    )
    return Calibration(
        tuple(
            CalibrationBin(
                low=float(edges[i]),
                high=float(edges[i + 1]),
                images=int(count[i]),
                confidence=float(confidences[i] / count[i]),
                accuracy=float(corrects[i] / count[i]),
            )
            for i in range(bins)
            if count[i]
        )
    )


def fit_temperature(logits: Float[Any, "count classes"], labels: Int64[Any, " count"]) -> float:
    """The temperature T for which ``logits / T`` have the lowest negative log-likelihood, from 0.05 to 20.

    If all predictions are wrong, a higher temperature is always better; so the range is limited.

    Above 1 the network was overconfident. The likelihood is concave in 1 / T, so its slope changes sign once
    and bisection finds where. Predictions, and so the accuracy, stay the same.

    Labels are smoothed as if one more image had each of them (as in Platt 1999, section 2.2): otherwise a
    network with no mistake on few images would have full confidence, and a very high loss for its first
    mistake on other images.

    Args:
        logits: of validation images, as an array, or a tensor on the CPU without gradients.
        labels: indices of their classes.

    Raises:
        DataError: where there are no images, or a logit is NaN or infinite.
    """
    if not len(labels):
        raise DataError(
            "a temperature is fitted on validation images, and there are none; hold some out of training"
        )
    logits, labels = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    require_finite(logits)
    doubt = 1 / (len(labels) + 1)
    own = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    true = (1 - doubt) * own + doubt * logits.mean(1)
    low, high = log(MIN_TEMPERATURE), log(MAX_TEMPERATURE)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        expected = (softmax(logits / exp(middle)) * logits).sum(1)
        # The slope of the mean loss in 1 / T: above 0, less confidence is better.
        is_too_cold = bool((expected - true).mean() > 0)
        low, high = (middle, high) if is_too_cold else (low, middle)
    temperature = exp((low + high) / 2)
    return min(max(temperature, MIN_TEMPERATURE), MAX_TEMPERATURE)  # `exp` of the limits is rounded


@dataclass(frozen=True, kw_only=True)
class TemperatureScaling:
    """The same predictions after their logits were divided by a temperature fitted on other images."""

    temperature: float
    calibration: Calibration
    loss: float
    """In nats per image."""


def scale_temperature(
    logits: Float[np.ndarray, "count classes"], labels: Int64[np.ndarray, " count"], temperature: float
) -> TemperatureScaling:
    """Calibration and loss of ``logits`` divided by ``temperature``."""
    scaled = logits / temperature
    return TemperatureScaling(
        temperature=temperature,
        calibration=measure_calibration(scaled, labels),
        loss=float(cross_entropies(scaled, labels).mean()),
    )
