"""Holding images back from training: the same share of every class, the same images for a seed."""

import torch
from jaxtyping import Int64
from torch import Tensor

from verydeep.errors import DataError


def stratified_split(
    labels: Int64[Tensor, " count"], fraction: float, seed: int
) -> tuple[Int64[Tensor, " train"], Int64[Tensor, " val"]]:
    """Indices to train on and indices held back, each sorted; together they are every index once.

    The number held back is ``fraction`` of all images, shared among the classes by largest remainder.
    A class of two images or more has at least one on each side, and a lone image is trained on, so that
    very small classes can move the number by a few. The global random state is neither read nor changed.

    Args:
        labels: one class index an image, from 0.
        fraction: the share to hold back, above 0 and below 1.
        seed: picks which images; the same seed picks the same ones on every machine.

    Raises:
        DataError: where ``fraction`` is no share, a label is negative, or no class can spare an image.
    """
    if not 0 < fraction < 1:
        raise DataError(f"the share held back is {fraction}; expected a number above 0 and below 1, as 0.1")
    if len(labels) and int(labels.min()) < 0:
        raise DataError(f"a label is {int(labels.min())}; labels are class indices from 0")
    labels = labels.cpu()
    sizes = labels.bincount()
    held_back = _largest_remainder(sizes, fraction)
    if not int(held_back.sum()):
        raise DataError(
            f"none of the {len(labels)} images can be held back, since no class has two. "
            "Give validation images of their own, or add images."
        )
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(labels), generator=generator)
    by_class = shuffled[labels[shuffled].argsort(stable=True)]  # class after class, shuffled within each
    rank = torch.arange(len(labels)) - (sizes.cumsum(0) - sizes)[labels[by_class]]
    is_held_back = rank < held_back[labels[by_class]]
    return by_class[~is_held_back].sort().values, by_class[is_held_back].sort().values


def _largest_remainder(sizes: Int64[Tensor, " classes"], fraction: float) -> Int64[Tensor, " classes"]:
    """How many images each class gives up: its share rounded down, and one more where most was cut off."""
    shares = sizes.double() * fraction
    held_back = shares.long()
    left_over = round(int(sizes.sum()) * fraction) - int(held_back.sum())
    most_cut_off = (held_back - shares).argsort(stable=True)
    held_back[most_cut_off[:left_over]] += 1
    return held_back.minimum(sizes - 1).maximum((sizes > 1).long()).clamp_min(0)
