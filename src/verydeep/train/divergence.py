"""Noticing training that does not learn, and saying why it likely does not, for this very network."""

import math

from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture
from verydeep.errors import LearningError

FAIR_STEPS = 300
"""Steps after which a network that learns at all has left chance."""


def require_finite(loss: float, architecture: Architecture, lr: float) -> None:
    """Stop where the loss has become infinite or no number.

    Raises:
        LearningError: with the remedies for ``architecture``.
    """
    if not math.isfinite(loss):
        raise LearningError(
            f"the loss of {architecture.name} is {loss}: the steps were too long (learning rate {lr:g}). "
            + remedies(architecture, lr)
        )


def require_better_than_chance(
    top1: float, images: int, largest_class: float, steps: int, architecture: Architecture, lr: float
) -> None:
    """Stop where, after a fair number of steps, training is no better than naming the largest class.

    Args:
        top1: training accuracy of the last epoch, in [0, 1].
        images: how many images it was measured on.
        largest_class: the part of the images in the largest class, in [0, 1].
        steps: steps made since the beginning.
        architecture: the network, for the remedies.
        lr: its peak learning rate.

    Raises:
        LearningError: with the remedies for ``architecture``.
    """
    luck = 3 * math.sqrt(largest_class * (1 - largest_class) / max(images, 1))
    if steps >= FAIR_STEPS and top1 <= largest_class + luck:
        raise LearningError(
            f"after {steps} steps {architecture.name} is at chance: {top1:.1%} of its training images, "
            f"where naming the largest class gives {largest_class:.1%}. " + remedies(architecture, lr)
        )


def remedies(architecture: Architecture, lr: float) -> str:
    """What is likely to help ``architecture``, the top_classes first."""
    lower = f"lower the rate (--optimizer.lr {lr / 10:g})"
    if architecture.norm != "none":
        return f"Likely remedies: {lower}; look whether images and labels belong together"
    advice = ["add batch norm (--norm batch)", lower, "draw the weights by He (--init he)"]
    if depth(architecture) > 11:
        advice.append("grow it from a trained net A, as the paper did (--grow-from RUN)")
    return f"It has {depth(architecture)} layers and no batch norm. Likely remedies: " + "; ".join(advice)


def depth(architecture: Architecture) -> int:
    """Layers with weights from the image to the classes."""
    return len(trace(architecture).path)
