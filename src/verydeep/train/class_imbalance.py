"""Class imbalance: a loss, or a sampler, that makes every class count the same.

Without it, the loss is dominated by the large classes: with nine healthy cells for each sick one, predicting
"healthy" every time is 90 % correct. Three methods, of which one is enough:

logit-adjust   the log of each class's share is added to its logits, in the loss only      Menon et al. 2021
weights        loss weights: an image counts by the inverse of the size of its class
sampler        every class is sampled equally often: images of small classes again and again
"""

from functools import partial

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from verydeep.data.augmentation.mix import Labels
from verydeep.data.batches import generator
from verydeep.train.balance import BalanceMethod
from verydeep.train.slices import Criterion


def balanced_criterion(
    sizes: Int64[Tensor, " classes"], method: BalanceMethod, label_smoothing: float = 0.0
) -> Criterion:
    """The mean loss of a batch, in nats, from logits and labels, for classes of these ``sizes``.

    With the sampler it is plain cross-entropy: there the order of images does it (``balanced_order``).
    """
    match method:
        case "none" | "sampler":
            return partial(functional.cross_entropy, label_smoothing=label_smoothing)
        case "logit-adjust":
            return partial(logit_adjusted_loss, shares=class_shares(sizes), label_smoothing=label_smoothing)
        case "weights":
            return partial(weighted_loss, weights=class_weights(sizes), label_smoothing=label_smoothing)


def class_shares(sizes: Int64[Tensor, " classes"]) -> Float[Tensor, " classes"]:
    """The share of the images in each class, the prior; a class without images counts as one image."""
    return sizes.clamp_min(1) / sizes.clamp_min(1).sum()


def class_weights(sizes: Int64[Tensor, " classes"]) -> Float[Tensor, " classes"]:
    """The loss weight of an image of each class: classes weigh the same, and the mean over images is 1."""
    return 1 / (len(sizes) * class_shares(sizes))


def logit_adjusted_loss(
    logits: Float[Tensor, "batch classes"],
    labels: Labels,
    shares: Float[Tensor, " classes"],
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Logit adjustment, Menon et al. 2021 (arXiv 2007.07314), eq. 10 with tau 1: minimizes the balanced
    error.

    Label smoothing is spread over the classes by their ``shares``. Spread evenly, it would give rare classes
    more than their prior, and the logits, without the prior, would predict them everywhere.
    """
    shares = shares.to(logits.device)
    adjusted = logits + shares.log()
    targets = label_smoothing * shares + (1 - label_smoothing) * _shares_in_images(labels, len(shares))
    return functional.cross_entropy(adjusted, targets)


def weighted_loss(
    logits: Float[Tensor, "batch classes"],
    labels: Labels,
    weights: Float[Tensor, " classes"],
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """The mean over the batch of each image's loss, label smoothing included, times its class weight.

    ``cross_entropy(weight=...)`` is different: it weights the smoothed part by the classes that it goes to,
    and so pulls every image toward the rare ones.
    """
    weights = weights.to(logits.device)
    if labels.is_floating_point():  # of a mixed image each class counts by its own weight
        losses = -logits.log_softmax(1)
        smoothed = (1 - label_smoothing) * losses + label_smoothing * losses.mean(1, keepdim=True)
        return (labels * weights * smoothed).sum(1).mean()
    losses = functional.cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="none")
    return (weights[labels] * losses).mean()


def _shares_in_images(labels: Labels, classes: int) -> Tensor:
    return labels if labels.is_floating_point() else functional.one_hot(labels, classes)


def balanced_order(labels: Int64[Tensor, " count"], epoch: int, seed: int) -> Int64[Tensor, " count"]:
    """The class-balanced sampler: as many indices as images, every class equally often, shuffled for
    ``epoch``.

    An image is not repeated before all others of its class were sampled.
    """
    random = generator(seed, epoch)
    labels = labels.cpu()
    classes = labels.unique()
    per_class = -(-len(labels) // len(classes))
    indices = torch.cat(
        [_repeated(torch.nonzero(labels == label).flatten(), per_class, random) for label in classes]
    )
    return indices[torch.randperm(len(indices), generator=random)][: len(labels)]


def _repeated(indices: Tensor, count: int, random: torch.Generator) -> Tensor:
    """``count`` of ``indices``, all of them before any is repeated."""
    rounds = -(-count // len(indices))
    shuffled = [indices[torch.randperm(len(indices), generator=random)] for _ in range(rounds)]
    return torch.cat(shuffled)[:count]
