"""How well logits fit labels: plain functions of two tensors, and the value that gathers them."""

from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.classification import multiclass_calibration_error, multiclass_confusion_matrix


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """One class in counts of images, and what they say of it. Shares are in [0, 1]."""

    images: int
    """That are of it."""
    taken: int
    """That were taken for it, rightly or not."""
    right: int
    """That are of it and were taken for it."""

    @property
    def recall(self) -> float:
        """The part of its images that was recognized; 0 of a class without images."""
        return self.right / max(self.images, 1)

    @property
    def precision(self) -> float | None:
        """The part of what was taken for it that is of it; None where nothing was."""
        return self.right / self.taken if self.taken else None

    @property
    def f1(self) -> float:
        """The harmonic mean of both, as 2 right / (images + taken); 0 where nothing is right."""
        return 2 * self.right / max(self.images + self.taken, 1)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A network on a labeled set. Accuracies are in [0, 1], the loss in nats an image."""

    images: int
    top1: float
    top5: float
    """Of the best ``min(5, classes)``."""
    loss: float
    calibration_error: float
    """Expected calibration error in 15 bins (Guo et al. 2017, section 2)."""
    per_class: dict[str, float]
    """Recall of each class: the part of its images that was recognized."""
    confusion: tuple[tuple[int, ...], ...]
    """Rows are the true classes, columns the predicted ones; counts of images."""

    @cached_property
    def scores(self) -> dict[str, ClassScore]:
        """Each class by itself."""
        taken = [sum(column) for column in zip(*self.confusion, strict=True)]
        return {
            name: ClassScore(images=sum(row), taken=taken[place], right=row[place])
            for place, (name, row) in enumerate(zip(self.per_class, self.confusion, strict=True))
        }

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes: each counts the same, however few its images are.

        A class without images is left out, here and in ``macro_f1``.
        """
        return fmean(score.recall for score in self.scores.values() if score.images)

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes."""
        return fmean(score.f1 for score in self.scores.values() if score.images)

    @property
    def unseen(self) -> tuple[str, ...]:
        """The classes without images, of which nothing was measured."""
        return tuple(name for name, score in self.scores.items() if not score.images)


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """An image that was taken for another class, and how sure the network was, in [0, 1]."""

    index: int
    label: str
    predicted: str
    confidence: float


def evaluation(
    logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"], classes: tuple[str, ...]
) -> Evaluation:
    """Everything that is said of one set of predictions."""
    confusion = multiclass_confusion_matrix(logits, labels, num_classes=len(classes))
    recalls = confusion.diagonal() / confusion.sum(1).clamp_min(1)
    return Evaluation(
        images=len(labels),
        top1=accuracy(logits, labels, k=1),
        top5=accuracy(logits, labels, k=5),
        loss=float(functional.cross_entropy(logits, labels)),
        calibration_error=float(
            multiclass_calibration_error(logits.softmax(1), labels, num_classes=len(classes), n_bins=15)
        ),
        per_class=dict(zip(classes, recalls.tolist(), strict=True)),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def accuracy(logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"], k: int = 1) -> float:
    """The part of the images whose label is among the ``min(k, classes)`` top_classes, in [0, 1]."""
    best = logits.topk(min(k, logits.shape[1])).indices
    return float((best == labels[:, None]).any(1).double().mean())


def brier_score(logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"]) -> float:
    """The squared distance of the probabilities from the truth, summed over classes: 0 (best) to 2.

    Brier 1950, in its first form; the mean over the images.
    """
    truth = functional.one_hot(labels, logits.shape[1])
    return float((logits.double().softmax(1) - truth).square().sum(1).mean())


def balanced_accuracy(logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"]) -> float:
    """The mean over the classes that have images of the part that is recognized, in [0, 1]."""
    right = labels[logits.argmax(1) == labels].bincount(minlength=logits.shape[1])
    all_of = labels.bincount(minlength=logits.shape[1])
    return float((right[all_of > 0] / all_of[all_of > 0]).double().mean())


def worst_mistakes(
    logits: Float[Tensor, "count classes"],
    labels: Int64[Tensor, " count"],
    classes: tuple[str, ...],
    limit: int = 30,
) -> tuple[Mistake, ...]:
    """The mistakes of which the network was surest, the surest first."""
    confidence, predicted = logits.softmax(1).max(1)
    wrong = torch.nonzero(predicted != labels).flatten()
    surest = wrong[confidence[wrong].argsort(descending=True, stable=True)][:limit]
    return tuple(
        Mistake(
            index=int(i),
            label=classes[int(labels[i])],
            predicted=classes[int(predicted[i])],
            confidence=float(confidence[i]),
        )
        for i in surest
    )
