"""How well logits fit labels: accuracy, balanced accuracy, Brier score, and the most confident mistakes."""

import numpy as np
from jaxtyping import Bool, Float, Int64

from verydeep.evaluate.mistake import Mistake
from verydeep.probabilities import softmax


def accuracy(
    logits: Float[np.ndarray, "count classes"], labels: Int64[np.ndarray, " count"], k: int = 1
) -> float:
    """Top-k accuracy in [0, 1]."""
    return float(is_in_top(logits, labels, k).mean())


def is_in_top(
    logits: Float[np.ndarray, "count classes"], labels: Int64[np.ndarray, " count"], k: int
) -> Bool[np.ndarray, " count"]:
    """Whether the class of each image is one of the k with the highest logits; of equal ones the first."""
    return ranks_of_labels(logits, labels) < k


def ranks_of_labels(
    logits: Float[np.ndarray, "count classes"], labels: Int64[np.ndarray, " count"]
) -> Int64[np.ndarray, " count"]:
    """How many classes are before that of each image, by their logits: 0 for the top one.

    A NaN of another class is before it, and all are before a NaN of its own: both are mistakes.
    """
    own, classes = np.take_along_axis(logits, labels[:, None], axis=1), np.arange(logits.shape[1])
    before = ~(logits <= own) | ((logits == own) & (classes < labels[:, None]))
    return np.asarray(before.sum(1))


def balanced_accuracy(
    logits: Float[np.ndarray, "count classes"], labels: Int64[np.ndarray, " count"]
) -> float:
    """The mean recall of the classes that have images, in [0, 1]."""
    classes = logits.shape[1]
    correct = np.bincount(labels[is_in_top(logits, labels, 1)], minlength=classes)
    images = np.bincount(labels, minlength=classes)
    return float((correct[images > 0] / images[images > 0]).mean())


def brier_score(logits: Float[np.ndarray, "count classes"], labels: Int64[np.ndarray, " count"]) -> float:
    """The squared distance of the probabilities from the truth, summed over classes: 0 (best) to 2.

    Brier 1950, in its first form; the mean over the images.
    """
    distance = softmax(logits)
    distance[np.arange(len(labels)), labels] -= 1
    return float(np.square(distance).sum(1).mean())


def most_confident_mistakes(
    logits: Float[np.ndarray, "count classes"],
    labels: Int64[np.ndarray, " count"],
    classes: tuple[str, ...],
    limit: int = 30,
) -> tuple[Mistake, ...]:
    """The wrong predictions of highest confidence, the most confident first."""
    confidence, predicted = softmax(logits).max(1), logits.argmax(1)
    wrong = np.flatnonzero(predicted != labels)
    first = wrong[np.argsort(-confidence[wrong], kind="stable")][:limit]
    return tuple(
        Mistake(
            index=int(i),
            label=classes[labels[i]],
            predicted=classes[predicted[i]],
            confidence=float(confidence[i]),
        )
        for i in first
    )
