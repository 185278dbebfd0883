"""Learning where classes are of unlike sizes: the loss, or the order, that counts every class alike.

Left alone, the loss is the large classes': on nine healthy cells for each sick one, calling all of them
healthy is nine tenths right. Three remedies, of which one is enough:

logit-adjust   the log of each class's share is added to its logits, in the loss alone     Menon et al. 2021
weights        an image counts by the inverse of the size of its class
sampler        every class is shown equally often: images of small ones again and again
"""

from functools import partial
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from verydeep.data.batches import generator
from verydeep.errors import DataError
from verydeep.train.slices import Criterion

BalanceMethod = Literal["none", "logit-adjust", "weights", "sampler"]
Balance = Literal["auto", "none", "logit-adjust", "weights", "sampler"]
"""auto is logit-adjust where classes are of unlike sizes, else none."""

UNLIKE = 3.0
"""How many times the smallest class the largest may be before auto takes the classes for unlike."""


def resolve_balance(sizes: Int64[Tensor, " classes"], wanted: Balance = "auto") -> BalanceMethod:
    """The remedy that ``wanted`` comes to for classes of these ``sizes``, in training images.

    A class without images counts as one of one image.

    Raises:
        DataError: where no class has an image.
    """
    if not int(sizes.sum()):
        raise DataError(f"none of the {len(sizes)} classes has an image to train on")
    if wanted != "auto":
        return wanted
    return "logit-adjust" if float(sizes.max() / sizes.clamp_min(1).min()) > UNLIKE else "none"


def balanced_criterion(
    sizes: Int64[Tensor, " classes"], remedy: BalanceMethod, label_smoothing: float = 0.0
) -> Criterion:
    """The mean loss of a batch, in nats, from logits and labels, for classes of these ``sizes``.

    With the sampler it is the plain one: there the order does it (``balanced_order``).
    """
    match remedy:
        case "none" | "sampler":
            return partial(functional.cross_entropy, label_smoothing=label_smoothing)
        case "logit-adjust":
            return partial(logit_adjusted_loss, shares=class_shares(sizes), label_smoothing=label_smoothing)
        case "weights":
            return partial(weighted_loss, weights=class_weights(sizes), label_smoothing=label_smoothing)


def class_shares(sizes: Int64[Tensor, " classes"]) -> Float[Tensor, " classes"]:
    """The part of all images in each class, the prior; a class without images has that of one image."""
    return sizes.clamp_min(1) / sizes.clamp_min(1).sum()


def class_weights(sizes: Int64[Tensor, " classes"]) -> Float[Tensor, " classes"]:
    """How much an image of each class counts, so that classes weigh alike and the mean over images is 1."""
    return 1 / (len(sizes) * class_shares(sizes))


def logit_adjusted_loss(
    logits: Float[Tensor, "batch classes"],
    labels: Int64[Tensor, " batch"],
    shares: Float[Tensor, " classes"],
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Menon et al. 2021 (arXiv 2007.07314), eq. 10 with tau 1: its minimum is that of the balanced error.

    What smoothing takes from the label goes to the classes by their ``shares``. Spread evenly, it would
    give rare classes more than their prior, and the logits, freed of the prior, would name them everywhere.
    """
    shares = shares.to(logits.device)
    adjusted = logits + shares.log()
    targets = label_smoothing * shares + (1 - label_smoothing) * functional.one_hot(labels, len(shares))
    return functional.cross_entropy(adjusted, targets)


def weighted_loss(
    logits: Float[Tensor, "batch classes"],
    labels: Int64[Tensor, " batch"],
    weights: Float[Tensor, " classes"],
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """The mean over the batch of each image's loss, smoothed label and all, times the weight of its class.

    ``cross_entropy(weight=...)`` is another: it weighs the smoothed part by the classes it goes to, and so
    draws every image toward the rare ones.
    """
    losses = functional.cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="none")
    return (weights.to(logits.device)[labels] * losses).mean()


def balanced_order(labels: Int64[Tensor, " count"], epoch: int, seed: int) -> Int64[Tensor, " count"]:
    """As many places as there are images, every class equally often, in the order that ``epoch`` shows.

    An image is not repeated before all others of its class have been shown.
    """
    chance = generator(seed, epoch)
    labels = labels.cpu()
    classes = labels.unique()
    each = -(-len(labels) // len(classes))
    places = torch.cat([_rounds(torch.nonzero(labels == label).flatten(), each, chance) for label in classes])
    return places[torch.randperm(len(places), generator=chance)][: len(labels)]


def _rounds(places: Tensor, count: int, chance: torch.Generator) -> Tensor:
    """``count`` of ``places``, all of them before any comes again."""
    rounds = -(-count // len(places))
    shuffled = [places[torch.randperm(len(places), generator=chance)] for _ in range(rounds)]
    return torch.cat(shuffled)[:count]
