"""How well logits fit labels: accuracy, balanced accuracy, Brier score, and the most confident mistakes."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from verydeep.evaluate.mistake import Mistake


def accuracy(logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"], k: int = 1) -> float:
    """Top-k accuracy in [0, 1]; k is at most the number of classes."""
    best = logits.topk(min(k, logits.shape[1])).indices
    return float((best == labels[:, None]).any(1).double().mean())


def balanced_accuracy(logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"]) -> float:
    """The mean recall of the classes that have images, in [0, 1]."""
    correct = labels[logits.argmax(1) == labels].bincount(minlength=logits.shape[1])
    images = labels.bincount(minlength=logits.shape[1])
    return float((correct[images > 0] / images[images > 0]).double().mean())


def brier_score(logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"]) -> float:
    """The squared distance of the probabilities from the truth, summed over classes: 0 (best) to 2.

    Brier 1950, in its first form; the mean over the images.
    """
    truth = functional.one_hot(labels, logits.shape[1])
    return float((logits.double().softmax(1) - truth).square().sum(1).mean())


def most_confident_mistakes(
    logits: Float[Tensor, "count classes"],
    labels: Int64[Tensor, " count"],
    classes: tuple[str, ...],
    limit: int = 30,
) -> tuple[Mistake, ...]:
    """The wrong predictions of highest confidence, the most confident first."""
    confidence, predicted = logits.softmax(1).max(1)
    wrong = torch.nonzero(predicted != labels).flatten()
    first = wrong[confidence[wrong].argsort(descending=True, stable=True)][:limit]
    return tuple(
        Mistake(
            index=int(i),
            label=classes[int(labels[i])],
            predicted=classes[int(predicted[i])],
            confidence=float(confidence[i]),
        )
        for i in first
    )
