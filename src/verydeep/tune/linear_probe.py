"""The linear probe: logistic regression on frozen features, its L2 strength found by cross-validation.

It also handles class imbalance, and fits the temperature for calibrated probabilities on held-out
predictions.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import stdev

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn import functional

from verydeep.data.split import folds
from verydeep.evaluate.evaluation import evaluate_logits
from verydeep.evaluate.metrics import balanced_accuracy
from verydeep.evaluate.temperature_choice import choose_temperature
from verydeep.train.balance import BalanceMethod
from verydeep.train.class_imbalance import class_shares, class_weights
from verydeep.tune.logistic_regression import (
    L2_STRENGTHS,
    CrossValidated,
    LinearHead,
    LogisticRegression,
    cross_validate,
)
from verydeep.tune.result import CrossValidation, L2Point

FOLDS = 5
DEFAULT_L2 = 1e-2
"""Where there are too few images for cross-validation."""


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier on frozen features, and how its L2 strength was found."""

    head: LinearHead
    validation: CrossValidation
    held_out_logits: Float32[Tensor, "count classes"] | None = None
    """Of each training image, by the probe of the cross-validation that was not trained on it."""


def fit_linear_probe(
    features: Float32[Tensor, "count values"],
    labels: Int64[Tensor, " count"],
    groups: tuple[str, ...] | None,
    classes: tuple[str, ...],
    method: BalanceMethod,
    seed: int,
    *,
    l2: float | None = None,
    cross_validated: Callable[[L2Point], None] = lambda point: None,
) -> LinearProbe:
    """The linear probe with the lowest loss in cross-validation, trained on all images.

    The strength is chosen by the log loss, which also sees how close an image came to being mistaken, where
    accuracy counts only the few mistakes: on five splits of 4,886 blood cells the choice by log loss had
    0.988 balanced accuracy on the test images, the choice by balanced accuracy 0.986.

    Args:
        features: of the training images.
        labels: indices of ``classes``.
        groups: the images of a group are in one fold.
        classes: their names.
        method: how class imbalance is handled.
        seed: of the folds.
        l2: the strength, where it is known; cross-validation still measures it and fits the temperature.
        cross_validated: called after each strength.
    """
    began = time.perf_counter()
    sizes = labels.bincount(minlength=len(classes))
    weights, shift = loss_weights(sizes, method), logit_shift(sizes, method)
    count = min(FOLDS, len(set(groups)) if groups else len(labels))
    fold_of = folds(labels, groups, count, seed) if count > 1 else torch.zeros_like(labels)
    if len(fold_of.unique()) < 2:  # one group, or one for each class, which no fold can be without
        head = fit_head(features, labels, len(classes), method, l2 or DEFAULT_L2)
        return LinearProbe(head, _without_folds(l2 or DEFAULT_L2, time.perf_counter() - began))
    points: list[L2Point] = []
    best: CrossValidated | None = None
    for each in cross_validate(features, labels, fold_of, len(classes), weights, _path_to(l2)):
        if l2 not in (None, each.l2):
            continue  # only the start of the next search, so that a known strength gives the same bits
        points.append(_measure(each.l2, each.logits - shift, labels, fold_of, sizes, method))
        if points[-1].loss <= min(point.loss for point in points):
            best = each
        cross_validated(points[-1])
        if _is_past_best(points):
            break
    assert best is not None
    logits = best.logits - shift
    calibration = choose_temperature(logits.numpy(), labels.numpy(), groups, seed)
    validation = CrossValidation(
        folds=count,
        curve=tuple(points),
        l2=best.l2,
        temperature=calibration.temperature if calibration else 1.0,
        calibration=calibration,
        evaluation=evaluate_logits(logits, labels, classes, groups=groups),
        seconds=time.perf_counter() - began,
    )
    return LinearProbe(LinearHead(best.head.weight, best.head.bias - shift), validation, logits)


def fit_head(
    features: Float32[Tensor, "count values"],
    labels: Int64[Tensor, " count"],
    classes: int,
    method: BalanceMethod,
    l2: float,
) -> LinearHead:
    """The linear classifier of one L2 strength, without cross-validation."""
    sizes = labels.bincount(minlength=classes)
    weights, shift = loss_weights(sizes, method), logit_shift(sizes, method)
    (head,) = LogisticRegression(features, labels, classes, weights=weights).solve(l2)
    return LinearHead(head.weight, head.bias - shift)


def loss_weights(
    sizes: Int64[Tensor, " classes"], method: BalanceMethod
) -> Float32[Tensor, " classes"] | None:
    """The loss weight of an image of each class; a balanced sampler is the same over many batches."""
    return class_weights(sizes).float() if method in ("weights", "sampler") else None


def logit_shift(sizes: Int64[Tensor, " classes"], method: BalanceMethod) -> Float32[Tensor, " classes"]:
    """What is subtracted from each class's logit after training: for logit adjustment its log prior.

    Biases are not regularized, so a loss on adjusted logits (``train/class_imbalance.py``) has the optimum of
    the plain loss with the adjustment subtracted from its biases.
    """
    if method == "logit-adjust":
        return class_shares(sizes).log().float()
    return torch.zeros(len(sizes))


def _without_folds(l2: float, seconds: float) -> CrossValidation:
    """Of a single group, or a single image."""
    return CrossValidation(folds=0, curve=(), l2=l2, temperature=1.0, evaluation=None, seconds=seconds)


def _path_to(l2: float | None) -> tuple[float, ...]:
    """The strengths to solve, from strong to weak: all, or those down to a known one."""
    return L2_STRENGTHS if l2 is None else (*(each for each in L2_STRENGTHS if each > l2), l2)


def _is_past_best(points: list[L2Point]) -> bool:
    """Whether weaker regularization has made the loss worse twice in a row: it will not get better."""
    losses = [point.loss for point in points]
    return len(losses) > 2 and losses[-1] > losses[-2] > losses[-3]


def _measure(
    l2: float,
    logits: Float[Tensor, "count classes"],
    labels: Int64[Tensor, " count"],
    fold_of: Int64[Tensor, " count"],
    sizes: Int64[Tensor, " classes"],
    method: BalanceMethod,
) -> L2Point:
    """Cross-validation at one strength; where classes are to count the same, they do so in the loss."""
    all_logits, all_labels, folds_of = logits.numpy(), labels.numpy(), fold_of.numpy()
    by_fold = [
        balanced_accuracy(all_logits[folds_of == fold], all_labels[folds_of == fold])
        for fold in np.unique(folds_of)
    ]
    losses = functional.cross_entropy(logits, labels, reduction="none")
    weights = torch.ones(len(sizes)) if method == "none" else class_weights(sizes)
    return L2Point(
        l2=l2,
        balanced_accuracy=balanced_accuracy(all_logits, all_labels),
        standard_error=stdev(by_fold) / len(by_fold) ** 0.5,
        loss=float((losses * weights[labels]).mean()),
    )
