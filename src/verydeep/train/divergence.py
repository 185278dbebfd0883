"""Divergence: notices training that does not learn, and says what is likely to help for this network."""

import math

from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture
from verydeep.errors import LearningError

FAIR_STEPS = 300
"""Steps after which a network that learns at all is better than chance."""


def require_finite(loss: float, architecture: Architecture, lr: float) -> None:
    """Stop where the loss is infinite or NaN.

    Raises:
        LearningError: with what is likely to help for ``architecture``.
    """
    if not math.isfinite(loss):
        raise LearningError(
            f"the loss of {architecture.name} is {loss}: training diverged (learning rate {lr:g}). "
            + likely_fixes(architecture, lr)
        )


def require_better_than_chance(
    top1: float, images: int, largest_class: float, steps: int, architecture: Architecture, lr: float
) -> None:
    """Stop where, after ``FAIR_STEPS``, training is no better than predicting the largest class.

    Args:
        top1: training accuracy of the last epoch, in [0, 1].
        images: how many images it was measured on.
        largest_class: the part of the images in the largest class, in [0, 1].
        steps: made so far.
        architecture: the network, for the message.
        lr: the peak learning rate.

    Raises:
        LearningError: with what is likely to help for ``architecture``.
    """
    margin = 3 * math.sqrt(largest_class * (1 - largest_class) / max(images, 1))
    if steps >= FAIR_STEPS and top1 <= largest_class + margin:
        raise LearningError(
            f"after {steps} steps {architecture.name} is at chance: {top1:.1%} of its training images, "
            f"where predicting the largest class gives {largest_class:.1%}. " + likely_fixes(architecture, lr)
        )


def likely_fixes(architecture: Architecture, lr: float) -> str:
    """What is likely to help ``architecture``, the most likely first."""
    lower = f"lower the learning rate (optimizer.lr = {lr / 10:g})"
    if architecture.norm != "none":
        return f"Likely fixes: {lower}; check that images and labels belong together"
    advice = ["add batch norm (norm = batch)", lower, "use He initialization (init = he)"]
    if depth(architecture) > 11:
        advice.append("initialize from a trained net A, as the paper did (grow_from = RUN)")
    return f"It has {depth(architecture)} layers and no batch norm. Likely fixes: " + "; ".join(advice)


def depth(architecture: Architecture) -> int:
    """Layers with weights, from the image to the classes."""
    return len(trace(architecture).path)
