"""Mixup and CutMix: two images of a batch become one, and its label is shared between their classes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor
from torch.nn import functional

from verydeep.data.augmentation.config import AugmentConfig

Labels = Int64[Tensor, " batch"] | Float[Tensor, "batch classes"]
"""The class of each image, or, where images are mixed, the share of each class in it."""


class Mixed(NamedTuple):
    """A batch of mixed images."""

    images: Shaped[Tensor, "batch channels height width"]
    labels: Float[Tensor, "batch classes"]
    """The share of each class in each image; the largest is that of the image's own class."""


@dataclass(frozen=True)
class Mix:
    """How the images of a batch are mixed: all in the same proportion."""

    share: float
    """Of an image itself, at least one half: an image and the other one change places otherwise, which is the
    same distribution."""
    rows: slice | None = None
    """Of the rectangle that CutMix pastes; None for mixup."""
    columns: slice | None = None


def draw_mix(config: AugmentConfig, size: tuple[int, int], generator: torch.Generator) -> Mix:
    """How a batch is mixed; where both methods are on, by one of them at random.

    The rectangle of CutMix has the shape of the image and its center anywhere in it, so that a part of it may
    lie outside (Yun et al. 2019, section 3.1).

    Args:
        config: ``mixup`` and ``cutmix``, of which at least one is not 0.
        size: height and width of the images in px.
        generator: the only source of randomness: the same state gives the same choice.
    """
    cuts = config.cutmix > 0
    if cuts and config.mixup > 0:
        cuts = bool(torch.rand((), generator=generator) < 0.5)
    share = _share(config.cutmix if cuts else config.mixup, generator)
    if not cuts:
        return Mix(share)
    rows, columns = (_side(side, share, generator) for side in size)
    pasted = (rows.stop - rows.start) * (columns.stop - columns.start)
    return Mix(1 - pasted / (size[0] * size[1]), rows, columns)


def mix(
    images: Shaped[Tensor, "batch channels height width"],
    labels: Int64[Tensor, " batch"],
    classes: int,
    how: Mix,
) -> Mixed:
    """Each image mixed with the one before it in the batch.

    Args:
        images: after all other augmentation, on any device.
        labels: the class of each image.
        classes: how many there are.
        how: of ``draw_mix``.
    """
    others = images.roll(1, 0)
    if how.rows is None or how.columns is None:
        images = how.share * images + (1 - how.share) * others
    else:
        images = images.clone()
        images[:, :, how.rows, how.columns] = others[:, :, how.rows, how.columns]
    own = functional.one_hot(labels, classes)
    return Mixed(images, how.share * own + (1 - how.share) * own.roll(1, 0))


def _share(alpha: float, generator: torch.Generator) -> float:
    """The larger of two shares, drawn from Beta(alpha, alpha) as in Zhang et al. 2018 (mixup), section 2."""
    seed = int(torch.randint(2**62, (), generator=generator))
    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    return max(share, 1 - share)


def _side(side: int, share: float, generator: torch.Generator) -> slice:
    """The rows, or the columns, of the rectangle."""
    length = round(side * (1 - share) ** 0.5)
    first = int(torch.randint(side, (), generator=generator)) - length // 2
    return slice(max(0, first), min(side, first + length))
