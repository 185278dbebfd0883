"""The head on frozen features: strength by cross-validation, classes in balance, and its doubt honest."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.nn import functional

from verydeep.data.split import folds
from verydeep.evaluate.calibration import fit_temperature
from verydeep.evaluate.metrics import balanced_accuracy
from verydeep.evaluate.score import score
from verydeep.train.class_imbalance import BalanceMethod, class_shares, class_weights
from verydeep.tune.logistic_regression import LinearHead, Problem, Validated, cross_validate
from verydeep.tune.result import CrossValidation, StrengthPoint

FOLDS = 5
DEFAULT_STRENGTH = 1e-2
"""Where nothing can be held out to choose it by."""


@dataclass(frozen=True)
class LearntHead:
    """A last layer, and how its strength was chosen."""

    head: LinearHead
    validation: CrossValidation


def learn_head(
    features: Float32[Tensor, "count values"],
    labels: Int64[Tensor, " count"],
    groups: tuple[str, ...] | None,
    classes: tuple[str, ...],
    remedy: BalanceMethod,
    seed: int,
    tried: Callable[[StrengthPoint], None] = lambda point: None,
) -> LearntHead:
    """The head for ``features``: of the strength with the least loss on images held out, fitted to all.

    Log loss picks it, where classes are made to count alike each class by its mean: it sees how near an image
    came to being mistaken, where accuracy sees the few mistakes alone. On five splits of 4,886 blood cells it
    chose heads of 0.988 balanced accuracy, balanced accuracy itself heads of 0.986.

    Args:
        features: of the training images.
        labels: indices of ``classes``.
        groups: images of one group are held out together.
        classes: their names.
        remedy: against classes of unlike sizes.
        seed: picks the folds.
        tried: called after each strength.
    """
    began = time.perf_counter()
    sizes = labels.bincount(minlength=len(classes))
    weights, shift = _balancing(sizes, remedy)
    count = min(FOLDS, len(set(groups)) if groups else len(labels))
    if count < 2:
        head = fit_head(features, labels, len(classes), remedy, DEFAULT_STRENGTH)
        return LearntHead(head, _without_folds(time.perf_counter() - began))
    place = folds(labels, groups, count, seed)
    points: list[StrengthPoint] = []
    best: Validated | None = None
    for held in cross_validate(features, labels, place, len(classes), weights):
        points.append(_point(held.strength, held.logits - shift, labels, place, sizes, remedy))
        best = held if points[-1].loss <= min(point.loss for point in points) else best
        tried(points[-1])
        if _is_past_best(points):
            break
    assert best is not None
    logits = best.logits - shift
    validation = CrossValidation(
        folds=count,
        curve=tuple(points),
        strength=best.strength,
        temperature=fit_temperature(logits, labels),
        score=score(logits, labels, groups, classes),
        seconds=time.perf_counter() - began,
    )
    return LearntHead(LinearHead(best.head.weight, best.head.bias - shift), validation)


def _without_folds(seconds: float) -> CrossValidation:
    """Nothing was held out, as there is one group only, or one image."""
    return CrossValidation(
        folds=0, curve=(), strength=DEFAULT_STRENGTH, temperature=1.0, score=None, seconds=seconds
    )


def fit_head(
    features: Float32[Tensor, "count values"],
    labels: Int64[Tensor, " count"],
    classes: int,
    remedy: BalanceMethod,
    strength: float,
) -> LinearHead:
    """The head of one strength, its classes in balance."""
    weights, shift = _balancing(labels.bincount(minlength=classes), remedy)
    (head,) = Problem(features, labels, classes, weights=weights).solve(strength)
    return LinearHead(head.weight, head.bias - shift)


def _balancing(sizes: Tensor, remedy: BalanceMethod) -> tuple[Tensor | None, Tensor]:
    """What an image of each class counts, and what is taken off each class's logit once they are learned.

    Where biases are free, a loss with adjusted logits (``train/balance.py``) has the optimum of the plain one
    with the adjustment taken off its biases. To show every class equally often is, over many batches, to
    weigh its images.
    """
    weights = class_weights(sizes).float() if remedy in ("weights", "sampler") else None
    none = torch.zeros(len(sizes))
    return weights, class_shares(sizes).log().float() if remedy == "logit-adjust" else none


def _is_past_best(points: list[StrengthPoint]) -> bool:
    """Whether weaker regularization has made the loss worse twice in a row: it will not get better."""
    losses = [point.loss for point in points]
    return len(losses) > 2 and losses[-1] > losses[-2] > losses[-3]


def _point(
    strength: float, logits: Tensor, labels: Tensor, place: Tensor, sizes: Tensor, remedy: BalanceMethod
) -> StrengthPoint:
    folds = [balanced_accuracy(logits[place == fold], labels[place == fold]) for fold in place.unique()]
    error = float(torch.tensor(folds).std() / len(folds) ** 0.5)
    losses = functional.cross_entropy(logits, labels, reduction="none")
    weights = torch.ones(len(sizes)) if remedy == "none" else class_weights(sizes)
    return StrengthPoint(
        strength=strength,
        balanced_accuracy=balanced_accuracy(logits, labels),
        standard_error=error,
        loss=float((losses * weights[labels]).mean()),
    )
