"""Whether a network is as sure as it is right: reliability, and the temperature that mends it.

Guo et al. 2017 (On Calibration of Modern Neural Networks): the diagram and the error in section 2, the
temperature in section 4.2. The temperature is fitted on validation images, never on those of the test.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from verydeep.errors import DataError

BINS = 15
COLDEST, HOTTEST = 0.05, 20.0
"""Where the search for a temperature ends: images that are all told wrong have no best one."""
_HALVINGS = 50  # of the range of its logarithm: to 1e-14


@dataclass(frozen=True, kw_only=True)
class Bin:
    """The images of which the network was about equally sure. All but the count are in [0, 1]."""

    low: float
    high: float
    """Of the confidence, the probability of the class that is named: above ``low``, up to ``high``."""
    images: int
    confidence: float
    """The mean of theirs."""
    accuracy: float
    """The part that was right."""


@dataclass(frozen=True)
class Reliability:
    """How right a network is where it is how sure: the values of a reliability diagram."""

    bins: tuple[Bin, ...]
    """Those that have images, the least sure first."""

    @property
    def error(self) -> float:
        """Expected calibration error: how far accuracy is from confidence, over all images (eq. 3)."""
        images = sum(each.images for each in self.bins)
        return sum(each.images * abs(each.accuracy - each.confidence) for each in self.bins) / images


def reliability(
    logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"], bins: int = BINS
) -> Reliability:
    """Confidence and accuracy in ``bins`` of equal width."""
    confidence, predicted = logits.double().softmax(1).max(1)
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    places = torch.bucketize(confidence, edges[1:-1])
    right = (predicted == labels).double()
    count, sure, hit = (
        torch.zeros(bins, dtype=torch.float64).index_add_(0, places, values)
        for values in (torch.ones_like(right), confidence, right)
    )
    return Reliability(
        tuple(
            Bin(
                low=float(edges[i]),
                high=float(edges[i + 1]),
                images=int(count[i]),
                confidence=float(sure[i] / count[i]),
                accuracy=float(hit[i] / count[i]),
            )
            for i in range(bins)
            if count[i]
        )
    )


def fit_temperature(logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"]) -> float:
    """The T for which ``logits / T`` have the least negative log likelihood, from 0.05 to 20.

    Above 1 the network is too sure. The likelihood is concave in 1 / T, so that its slope changes sign once,
    and halving finds where. What is top_classes, and so the accuracy, stays.

    Labels count as if one more image had any of them (as in Platt 1999, section 2.2): else a network that
    tells all of few images right would be made as sure as can be, and pay for its first mistake elsewhere.

    Args:
        logits: of validation images.
        labels: indices of their classes.

    Raises:
        DataError: where there are no images.
    """
    if not len(labels):
        raise DataError("a temperature is fitted on validation images, and there are none; hold some back")
    logits = logits.double()
    doubt = 1 / (len(labels) + 1)
    true = (1 - doubt) * logits.gather(1, labels[:, None]).squeeze(1) + doubt * logits.mean(1)
    low, high = torch.tensor([COLDEST, HOTTEST], dtype=torch.float64).log()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        expected = ((logits / middle.exp()).softmax(1) * logits).sum(1)
        # The slope in 1 / T of the mean loss: above 0, it is better to be less sure.
        is_too_cold = bool((expected - true).mean() > 0)
        low, high = (middle, high) if is_too_cold else (low, middle)
    return float(((low + high) / 2).exp())
