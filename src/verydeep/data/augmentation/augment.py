"""Data augmentation image by image: from the horizontal flip to random erasing.

What is random is drawn for a whole batch (``draw``), and applied to all of its images or to a part of them
(``augment``): a part gets the same bits as within the whole batch.
"""

from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

from verydeep.data.augmentation.color import (
    color_jitter,
    draw_color,
    draw_crop,
    draw_pca_color,
    draw_scale_jitter,
    pca_color_shift,
    random_resized_crop,
)
from verydeep.data.augmentation.config import AugmentConfig, Flip
from verydeep.data.augmentation.erasing import draw_erasing, erase
from verydeep.data.augmentation.trivial_augment import draw_trivial, trivial_augment
from verydeep.errors import ShapeError


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What is random in the augmentation of single images of a batch; None where it is off."""

    flip: Bool[Tensor, " batch"] | None = None
    """Which images are flipped."""
    crop: Float[Tensor, "batch 4"] | None = None
    """Of ``draw_crop`` or ``draw_scale_jitter``."""
    crop_of_short_side: bool = False
    """Whether the side of a crop is relative to the short side of the image, not to the root of its area."""
    color: Float[Tensor, "batch 3"] | None = None
    """Of ``draw_color``."""
    pca_color: Float[Tensor, "batch 3"] | None = None
    """Of ``draw_pca_color``."""
    trivial: Float[Tensor, "batch 2"] | None = None
    """Of ``draw_trivial``."""
    shift: Int64[Tensor, "batch 2"] | None = None
    """By how many px each image moves down and right."""
    cutout: Int64[Tensor, "batch 2"] | None = None
    """The first row and column of each square."""
    cutout_size: int = 0
    erasing: Float[Tensor, "batch 4"] | None = None
    """Of ``draw_erasing``."""

    def select(self, images: slice | Shaped[Tensor, " images"]) -> "Choices":
        """Those of some images of the batch."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        chosen: dict[str, Any] = {
            name: each[images] if isinstance(each, Tensor) else each for name, each in values.items()
        }
        return Choices(**chosen)


def draw(
    config: AugmentConfig,
    indices: Int64[Tensor, " batch"],
    epoch: int,
    size: tuple[int, int],
    generator: torch.Generator,
) -> Choices:
    """The random choices for a batch.

    Args:
        config: the augmentations and their strengths.
        indices: each image's index in the training set; the "alternating" flip depends on it.
        epoch: counted from 0.
        size: height and width of the images in px.
        generator: the only source of randomness: the same state gives the same choices.

    Raises:
        ShapeError: if a shift or a cutout is too large for the images.
    """
    count, flips = len(indices), config.flip != "none"
    # Arguments are computed in this order, which decides the bits of every training.
    return Choices(
        flip=flip_mask(indices, epoch, config.flip, generator) if flips else None,
        crop=_draw_crop(count, config, generator),
        crop_of_short_side=config.scale_jitter > 0,
        color=draw_color(count, config.color, generator) if config.color else None,
        pca_color=draw_pca_color(count, config.pca_color, generator) if config.pca_color else None,
        trivial=draw_trivial(count, generator) if config.trivial else None,
        shift=draw_shift(count, config.shift, size, generator) if config.shift else None,
        cutout=draw_cutout(count, config.cutout, size, generator) if config.cutout else None,
        cutout_size=config.cutout,
        erasing=draw_erasing(count, config.erasing, generator) if config.erasing else None,
    )


def _draw_crop(
    count: int, config: AugmentConfig, generator: torch.Generator
) -> Float[Tensor, "count 4"] | None:
    if config.scale_jitter:
        return draw_scale_jitter(count, config.scale_jitter, generator)
    return draw_crop(count, config.crop, generator) if config.crop < 1 else None


def augment(
    images: Shaped[Tensor, "batch channels height width"], choices: Choices
) -> Shaped[Tensor, "batch channels height width"]:
    """``images`` after the augmentations that change single images, in the order of ``AugmentConfig``.

    Mixup and CutMix come after them (``mix.py``), as they change labels too.

    Args:
        images: of any dtype, on any device.
        choices: of ``draw``, for these images.
    """
    if choices.flip is not None:
        images = flip(images, choices.flip)
    if choices.crop is not None:
        images = random_resized_crop(images, choices.crop)
    if choices.color is not None:
        images = color_jitter(images, choices.color)
    if choices.pca_color is not None:
        images = pca_color_shift(images, choices.pca_color)
    if choices.trivial is not None:
        images = trivial_augment(images, choices.trivial)
    if choices.shift is not None:
        images = shift(images, choices.shift)
    if choices.cutout is not None:
        images = cutout(images, choices.cutout, choices.cutout_size)
    if choices.erasing is not None:
        images = erase(images, choices.erasing)
    return images


def flip_mask(
    indices: Int64[Tensor, " batch"], epoch: int, flip: Flip, generator: torch.Generator
) -> Bool[Tensor, " batch"]:
    """Which images of a batch ``flip`` flips; also for features that were computed from both versions.

    "alternating" flips about half of the images in epoch 0, and each one alternates from then on: two
    consecutive epochs contain each image once flipped and once not. Jordan 2024 (arXiv 2404.00498), section
    3.6: a hash of an image's index decides whether it is flipped in epoch 0.
    """
    match flip:
        case "none":
            return torch.zeros_like(indices, dtype=torch.bool)
        case "random":
            return _random_integers(2, (len(indices),), generator).bool().to(indices.device)
        case "alternating":
            return (_hash_bit(indices) + epoch) % 2 == 1


def flip(
    images: Shaped[Tensor, "batch channels height width"], mask: Bool[Tensor, " batch"]
) -> Shaped[Tensor, "batch channels height width"]:
    """``images``, those of ``mask`` flipped left to right."""
    return torch.where(mask.to(images.device)[:, None, None, None], images.flip(-1), images)


def _hash_bit(indices: Int64[Tensor, " batch"]) -> Int64[Tensor, " batch"]:
    """A pseudo-random 0 or 1 for each index: the last bit of murmur3's 32-bit finalizer."""
    bits = indices & 0xFFFFFFFF
    for multiplier, shift_bits in ((0x85EBCA6B, 16), (0xC2B2AE35, 13)):
        bits = ((bits ^ (bits >> shift_bits)) * multiplier) & 0xFFFFFFFF  # int64 wraps; the low half is exact
    return (bits ^ (bits >> 16)) & 1


def draw_shift(
    count: int, pixels: int, size: tuple[int, int], generator: torch.Generator
) -> Int64[Tensor, "count 2"]:
    """Random whole numbers of px, at most ``pixels``, to move each image down and right (or up and left).

    Raises:
        ShapeError: if ``pixels`` is as large as a side of the images or larger.
    """
    height, width = size
    if not 0 <= pixels < min(height, width):
        raise ShapeError(
            f"expected a shift of 0 to {min(height, width) - 1} px "
            f"for {height} x {width} images, got {pixels}"
        )
    return (_random_integers(2 * pixels + 1, (2, count), generator) - pixels).T


def shift(
    images: Shaped[Tensor, "batch channels height width"], offsets: Int64[Tensor, "batch 2"]
) -> Shaped[Tensor, "batch channels height width"]:
    """``images``, each moved by ``offsets`` of ``draw_shift``.

    The new border is filled by reflection padding, which does not repeat the border row or column.
    """
    _, channels, height, width = images.shape
    down, right = offsets.to(images.device).unbind(1)
    rows = _reflected(height, down)  # (batch, height)
    columns = _reflected(width, right)  # (batch, width)
    # One gather for all offsets: on two CPU threads 4 to 10 times as fast as one slice and mask per offset.
    positions = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
    return images.flatten(2).gather(2, positions[:, None].expand(-1, channels, -1)).view_as(images)


def _reflected(size: int, offsets: Int64[Tensor, " batch"]) -> Int64[Tensor, "batch size"]:
    """The source index of each row or column after the image has moved by ``offsets``, with reflection."""
    last = size - 1
    indices = torch.arange(size, device=offsets.device) - offsets[:, None]
    return last - (last - indices.abs()).abs()


def draw_cutout(
    count: int, side: int, size: tuple[int, int], generator: torch.Generator
) -> Int64[Tensor, "count 2"]:
    """The first row and column of a square of ``side`` px at a random position inside each image.

    In DeVries and Taylor 2017 the square may cross the border; here, as in Jordan 2024, it does not, and its
    area is the same in every image.

    Raises:
        ShapeError: if the square is larger than the images.
    """
    height, width = size
    if not 0 <= side <= min(height, width):
        raise ShapeError(
            f"expected a cutout of 0 to {min(height, width)} px for {height} x {width} images, got {side}"
        )
    rows, columns = (_random_integers(each - side + 1, (count,), generator) for each in size)
    return torch.stack([rows, columns], 1)


def cutout(
    images: Shaped[Tensor, "batch channels height width"], first: Int64[Tensor, "batch 2"], size: int
) -> Shaped[Tensor, "batch channels height width"]:
    """``images``, each with a square of ``size`` px set to zero, from its ``first`` row and column.

    Zero is black in pixels, and the mean in normalized images.
    """
    rows, columns = first.to(images.device).unbind(1)
    covered_rows, covered_columns = (
        _covered(side, start, size) for side, start in zip(images.shape[2:], (rows, columns), strict=True)
    )
    return images.masked_fill((covered_rows[:, :, None] & covered_columns[:, None, :])[:, None], 0)


def _covered(side: int, first: Int64[Tensor, " batch"], size: int) -> Bool[Tensor, "batch side"]:
    """Which rows or columns of each image a square covers."""
    positions, first = torch.arange(side, device=first.device), first[:, None]
    return (positions >= first) & (positions < first + size)


def _random_integers(below: int, shape: tuple[int, ...], generator: torch.Generator) -> Int64[Tensor, "..."]:
    """Random integers from 0 to ``below - 1``, on the device of ``generator``.

    A generator on the CPU therefore gives the same augmentation on every device.
    """
    return torch.randint(below, shape, generator=generator, device=generator.device)
