"""Divergence: notices training that does not learn, and says what is likely to help for this network."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture
from verydeep.errors import LearningError

FAIR_STEPS = 300
"""Steps after which a network that learns at all is better than chance."""


def require_finite(loss: float, architecture: Architecture, lr: float) -> None:
    """Stop where the loss is infinite or NaN.

    Raises:
        LearningError: with the learning rate; ``likely_fixes`` has what is likely to help.
    """
    if not math.isfinite(loss):
        raise LearningError(
            f"the loss of {architecture.name} is {loss}: training diverged (learning rate {lr:g})"
        )


def require_finite_weights(weights: Iterable[Tensor], architecture: Architecture, lr: float) -> None:
    """Stop where a weight is infinite or NaN: the last step of an epoch can do that after a finite loss.

    Raises:
        LearningError: as ``require_finite``.
    """
    if not all(bool(each.isfinite().all()) for each in weights):
        raise LearningError(
            f"weights of {architecture.name} are NaN or infinite: training diverged (learning rate {lr:g})"
        )


def require_better_than_chance(
    top1: float, chance: float, margin: float, steps: int, architecture: Architecture
) -> None:
    """Stop where, after ``FAIR_STEPS``, training is no better than predicting the largest class.

    Where that is right nearly always, or few images leave a wide margin, half of the way to 1 is enough.

    Args:
        top1: training accuracy of the last epoch, in [0, 1].
        chance: what predicting the largest class gives, in [0, 1].
        margin: how far above chance luck may be, as of ``margin_of_accuracy``.
        steps: made so far.
        architecture: the network, for the message.

    Raises:
        LearningError: with both accuracies; ``likely_fixes`` has what is likely to help.
    """
    if steps >= FAIR_STEPS and top1 <= chance + min(margin, (1 - chance) / 2):
        raise LearningError(
            f"after {steps} steps {architecture.name} is at chance: {top1:.1%} of its training images, "
            f"where predicting the largest class gives {chance:.1%}"
        )


def margin_of_accuracy(chance: float, images: int) -> float:
    """Three standard deviations of the accuracy on so many ``images`` that is ``chance`` in the mean."""
    return 3 * math.sqrt(chance * (1 - chance) / images)


def margin_of_balanced_accuracy(sizes: Sequence[int]) -> float:
    """Three standard deviations of the mean of recalls that are chance, in classes of these ``sizes``.

    The recall of a tiny class has a wide margin, which ends where the recall is 1.
    """
    chance = 1 / len(sizes)
    margins = [min(margin_of_accuracy(chance, size), 1 - chance) for size in sizes]
    return math.hypot(*margins) / len(sizes)


@dataclass(frozen=True)
class Flags:
    """How a command writes the fields of a recipe as flags."""

    prefix: str = "--"
    """Such as "--fine-tune." in `verydeep tune`."""
    missing: frozenset[str] = frozenset()
    """The fields without a flag."""


FLAGS_OF_TRAIN = Flags()
NO_FLAGS = Flags(missing=frozenset(("optimizer.lr", "norm", "init", "grow_from")))
"""Of a command that chooses the recipe itself."""


def likely_fixes(architecture: Architecture, lr: float, flags: Flags) -> str:
    """What is likely to help ``architecture``, the most likely first; ``lr`` is that of the recipe."""

    def fix(text: str, field: str, value: str) -> list[str]:
        return [] if field in flags.missing else [f"{text} ({flags.prefix}{field.replace('_', '-')} {value})"]

    lower = fix("lower the learning rate", "optimizer.lr", f"{lr / 10:g}")
    check = "check that images and labels belong together"
    if architecture.norm != "none":
        return f"Likely fixes: {'; '.join([*lower, check])}"
    advice = [*fix("add batch norm", "norm", "batch"), *lower, *fix("use He initialization", "init", "he")]
    if depth(architecture) > 11:
        advice += fix("initialize from a trained net A, as the paper did", "grow_from", "RUN")
    fixes = "; ".join(advice if len(advice) > 1 else [*advice, check])
    return f"It has {depth(architecture)} layers and no batch norm. Likely fixes: {fixes}"


def depth(architecture: Architecture) -> int:
    """Layers with weights, from the image to the classes."""
    return len(trace(architecture).path)
