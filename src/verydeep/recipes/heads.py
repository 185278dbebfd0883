"""The head on frozen features: strength by cross-validation, classes in balance, and its doubt honest."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.nn import functional

from verydeep.data.split import folds
from verydeep.recipes.score import balanced_accuracy, score
from verydeep.recipes.tuning import CrossValidation, StrengthPoint
from verydeep.train.balance import Remedy, class_shares, class_weights
from verydeep.train.probe import LinearHead, Problem, cross_validate

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
    remedy: Remedy,
    seed: int,
    tried: Callable[[StrengthPoint], None] = lambda point: None,
) -> LearntHead:
    """The head for ``features``: of the strength that is best on images that were held out, fitted to all.

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
    weights = class_weights(sizes).float() if remedy in ("weights", "sampler") else None
    shift = class_shares(sizes).log() if remedy == "logit-adjust" else torch.zeros(len(classes))
    count = min(FOLDS, len(set(groups)) if groups else len(labels))
    points: list[StrengthPoint] = []
    held_out: dict[float, Tensor] = {}
    if count > 1:
        place = folds(labels, groups, count, seed)
        for held in cross_validate(features, labels, place, len(classes), weights):
            held_out[held.strength] = held.logits - shift
            points.append(_point(held.strength, held_out[held.strength], labels, place, sizes, remedy))
            tried(points[-1])
            if _is_past_best(points):
                break
    strength = chosen_strength(points) if points else DEFAULT_STRENGTH
    head = _fitted(features, labels, len(classes), weights, strength)
    logits = held_out.get(strength)
    return LearntHead(
        LinearHead(head.weight, head.bias - shift),
        CrossValidation(
            folds=count if count > 1 else 0,
            curve=tuple(points),
            strength=strength,
            temperature=1.0 if logits is None else fit_temperature(logits, labels),
            score=None if logits is None else score(logits, labels, groups, classes),
            seconds=time.perf_counter() - began,
        ),
    )


def _fitted(
    features: Tensor, labels: Tensor, classes: int, weights: Tensor | None, strength: float
) -> LinearHead:
    return Problem(features, labels, classes, weights).solve(strength)


def _is_past_best(points: list[StrengthPoint]) -> bool:
    """Whether weaker regularisation has made the loss worse twice in a row: it will not get better."""
    losses = [point.loss for point in points]
    return len(losses) > 2 and losses[-1] > losses[-2] > losses[-3]


def chosen_strength(points: list[StrengthPoint]) -> float:
    """The strength of the least loss on images held out."""
    return min(points, key=lambda point: point.loss).strength


def _point(
    strength: float, logits: Tensor, labels: Tensor, place: Tensor, sizes: Tensor, remedy: Remedy
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


def fit_temperature(logits: Float32[Tensor, "count classes"], labels: Int64[Tensor, " count"]) -> float:
    """What ``logits`` are divided by for the least loss (Guo et al. 2017, section 4.2)."""
    low, high = math.log(0.05), math.log(20.0)
    for _ in range(40):  # the loss is convex in 1 / T, so its slope changes sign once
        middle = (low + high) / 2
        cold = logits.double() / math.exp(middle)
        slope = (cold * (cold.softmax(1) - functional.one_hot(labels, logits.shape[1]))).sum()
        low, high = (middle, high) if slope > 0 else (low, middle)
    return math.exp((low + high) / 2)
