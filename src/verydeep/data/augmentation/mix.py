"""Mixup and CutMix: two images of a batch become one, and its label is shared between their classes."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor
from torch.nn import functional

from verydeep.data.augmentation.augment import AugmentConfig

Labels = Int64[Tensor, " batch"] | Float[Tensor, "batch classes"]
"""The class of each image, or, where images are mixed, the share of each class in it."""


class Mixed(NamedTuple):
    """A batch of mixed images."""

    images: Shaped[Tensor, "batch channels height width"]
    labels: Float[Tensor, "batch classes"]
    """The share of each class in each image; the largest is that of the image's own class."""


def mix(
    images: Shaped[Tensor, "batch channels height width"],
    labels: Int64[Tensor, " batch"],
    classes: int,
    config: AugmentConfig,
    generator: torch.Generator,
) -> Mixed:
    """Each image mixed with the one before it in the batch, all in the same proportion.

    Where both methods are on, each batch is mixed by one of them at random. The share is at least one half:
    an image and its neighbor change places otherwise, which is the same distribution.

    Args:
        images: after all other augmentation, on any device.
        labels: the class of each image.
        classes: how many there are.
        config: ``mixup`` and ``cutmix``, of which at least one is not 0.
        generator: the only source of randomness: the same state gives the same images.
    """
    cuts = config.cutmix > 0
    if cuts and config.mixup > 0:
        cuts = bool(torch.rand((), generator=generator) < 0.5)
    share = _share(config.cutmix if cuts else config.mixup, generator)
    others = images.roll(1, 0)
    if cuts:
        images, share = _paste(images, others, share, generator)
    else:
        images = share * images + (1 - share) * others
    own = functional.one_hot(labels, classes)
    return Mixed(images, share * own + (1 - share) * own.roll(1, 0))


def _share(alpha: float, generator: torch.Generator) -> float:
    """The larger of two shares, drawn from Beta(alpha, alpha) as in Zhang et al. 2018 (mixup), section 2."""
    seed = int(torch.randint(2**62, (), generator=generator))
    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    return max(share, 1 - share)


def _paste(
    images: Shaped[Tensor, "batch channels height width"],
    others: Shaped[Tensor, "batch channels height width"],
    share: float,
    generator: torch.Generator,
) -> tuple[Shaped[Tensor, "batch channels height width"], float]:
    """``images`` with a rectangle of ``others``, and the share of the area that is left of them.

    Yun et al. 2019 (CutMix), section 3.1: the rectangle has the shape of the image and its center anywhere in
    it, so that a part of it may lie outside.
    """
    height, width = images.shape[2:]
    rows = _side(height, share, generator)
    columns = _side(width, share, generator)
    mixed = images.clone()
    mixed[:, :, rows, columns] = others[:, :, rows, columns]
    pasted = (rows.stop - rows.start) * (columns.stop - columns.start)
    return mixed, 1 - pasted / (height * width)


def _side(side: int, share: float, generator: torch.Generator) -> slice:
    """The rows, or the columns, of the rectangle."""
    length = round(side * (1 - share) ** 0.5)
    first = int(torch.randint(side, (), generator=generator)) - length // 2
    return slice(max(0, first), min(side, first + length))
