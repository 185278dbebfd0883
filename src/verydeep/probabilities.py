"""Probabilities and losses of logits, in float64 whatever the logits are."""

import numpy as np
from jaxtyping import Float, Float64, Int64

from verydeep.errors import DataError


def require_finite(logits: Float[np.ndarray, "count classes"]) -> None:
    """Refuse logits of which no probabilities can be computed.

    Raises:
        DataError: where one is NaN or infinite.
    """
    broken = np.flatnonzero(~np.isfinite(logits).all(1))
    if len(broken):
        raise DataError(
            f"logits of {len(broken):,} of {len(logits):,} images are NaN or infinite, first those at index "
            f"{broken[0]}; expected finite numbers. Look for NaN in the weights, or compute in fp32"
        )


def log_softmax(logits: Float[np.ndarray, "count classes"]) -> Float64[np.ndarray, "count classes"]:
    """The logarithm of the probability of each class."""
    shifted: np.ndarray = logits.astype(np.float64)
    shifted -= shifted.max(1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(1, keepdims=True))
    return shifted


def softmax(logits: Float[np.ndarray, "count classes"]) -> Float64[np.ndarray, "count classes"]:
    """The probability of each class."""
    exponentials: np.ndarray = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    exponentials /= exponentials.sum(1, keepdims=True)
    return exponentials


def cross_entropies(
    logits: Float[np.ndarray, "count classes"], labels: Int64[np.ndarray, " count"]
) -> Float64[np.ndarray, " count"]:
    """The loss of each image in nats."""
    return -np.take_along_axis(log_softmax(logits), labels[:, None], axis=1)[:, 0]
