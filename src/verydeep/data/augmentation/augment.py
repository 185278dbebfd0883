"""Data augmentation image by image: flip, random resized crop, color jitter, shift and cutout."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Interval
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

from verydeep.data.augmentation.color import color_jitter, random_resized_crop
from verydeep.errors import ShapeError

Flip = Literal["none", "random", "alternating"]


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Data augmentation of training images, in this order; nothing by default."""

    flip: Flip = "none"
    """Horizontal flip: at random, or every other epoch ("alternating", Jordan 2024)."""
    crop: Annotated[float, Interval(gt=0, le=1)] = 1.0
    """Random resized crop: the least part of an image's area that a crop keeps; 1 is off."""
    color: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Color jitter: brightness, contrast and saturation each change by up to this part; 0 is off."""
    shift: Annotated[int, Ge(0)] = 0
    """Random shift by up to this many px in each direction, with reflection padding; 0 is off."""
    cutout: Annotated[int, Ge(0)] = 0
    """Cutout: the side in px of a square in each image that is set to zero; 0 is off."""
    mixup: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Mixup: each image is averaged with another one, and so are their labels; the share is drawn from a Beta
    distribution with this alpha; 0 is off. With cutmix too, each batch takes one of them at random."""
    cutmix: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """CutMix: a rectangle of each image comes from another one, and its label by its area; alpha as in mixup;
    0 is off."""

    @property
    def mixes(self) -> bool:
        """Whether images of a batch are mixed with each other."""
        return self.mixup > 0 or self.cutmix > 0


def augment(
    images: Shaped[Tensor, "batch channels height width"],
    indices: Int64[Tensor, " batch"],
    epoch: int,
    config: AugmentConfig,
    generator: torch.Generator,
) -> Shaped[Tensor, "batch channels height width"]:
    """``images`` after the augmentations of ``config`` that change single images, in the order of its fields.

    Mixup and CutMix come after them (``mix.py``), as they change labels too.

    Args:
        images: of any dtype, on any device.
        indices: each image's index in the training set; the "alternating" flip depends on it.
        epoch: counted from 0.
        config: the augmentations and their strengths.
        generator: the only source of randomness: the same state gives the same images.

    Raises:
        ShapeError: if a shift or a cutout is too large for the images.
    """
    if config.flip == "random":
        images = random_horizontal_flip(images, generator)
    elif config.flip == "alternating":
        images = alternating_flip(images, indices, epoch)
    if config.crop < 1:
        images = random_resized_crop(images, config.crop, generator)
    if config.color:
        images = color_jitter(images, config.color, generator)
    if config.shift:
        images = shift(images, config.shift, generator)
    if config.cutout:
        images = cutout(images, config.cutout, generator)
    return images


def random_horizontal_flip(
    images: Shaped[Tensor, "batch channels height width"], generator: torch.Generator
) -> Shaped[Tensor, "batch channels height width"]:
    """``images``, each flipped left to right with probability 0.5."""
    indices = torch.arange(len(images), device=images.device)
    return _flip(images, flip_mask(indices, 0, "random", generator))


def alternating_flip(
    images: Shaped[Tensor, "batch channels height width"], indices: Int64[Tensor, " batch"], epoch: int
) -> Shaped[Tensor, "batch channels height width"]:
    """``images``, about half of them flipped left to right in epoch 0; each one alternates from then on.

    Two consecutive epochs contain each image once flipped and once not. Jordan 2024 (arXiv 2404.00498),
    section 3.6: a hash of an image's index decides whether it is flipped in epoch 0.
    """
    return _flip(images, _alternating(indices.to(images.device), epoch))


def flip_mask(
    indices: Int64[Tensor, " batch"], epoch: int, flip: Flip, generator: torch.Generator
) -> Bool[Tensor, " batch"]:
    """Which images of a batch ``flip`` flips; also for features that were computed from both versions."""
    match flip:
        case "none":
            return torch.zeros_like(indices, dtype=torch.bool)
        case "random":
            return _random_integers(2, len(indices), indices, generator).bool()
        case "alternating":
            return _alternating(indices, epoch)


def _alternating(indices: Int64[Tensor, " batch"], epoch: int) -> Bool[Tensor, " batch"]:
    return (_hash_bit(indices) + epoch) % 2 == 1


def _flip(
    images: Shaped[Tensor, "batch channels height width"], mask: Bool[Tensor, " batch"]
) -> Shaped[Tensor, "batch channels height width"]:
    return torch.where(mask[:, None, None, None], images.flip(-1), images)


def _hash_bit(indices: Int64[Tensor, " batch"]) -> Int64[Tensor, " batch"]:
    """A pseudo-random 0 or 1 for each index: the last bit of murmur3's 32-bit finalizer."""
    bits = indices & 0xFFFFFFFF
    for multiplier, shift_bits in ((0x85EBCA6B, 16), (0xC2B2AE35, 13)):
        bits = ((bits ^ (bits >> shift_bits)) * multiplier) & 0xFFFFFFFF  # int64 wraps; the low half is exact
    return (bits ^ (bits >> 16)) & 1


def shift(
    images: Shaped[Tensor, "batch channels height width"], pixels: int, generator: torch.Generator
) -> Shaped[Tensor, "batch channels height width"]:
    """``images``, each moved by a random whole number of px, at most ``pixels`` vertically and horizontally.

    The new border is filled by reflection padding, which does not repeat the border row or column.

    Raises:
        ShapeError: if ``pixels`` is as large as a side of the images or larger.
    """
    _, channels, height, width = images.shape
    if not 0 <= pixels < min(height, width):
        raise ShapeError(
            f"expected a shift of 0 to {min(height, width) - 1} px "
            f"for {height} x {width} images, got {pixels}"
        )
    offsets = _random_integers(2 * pixels + 1, (2, len(images)), images, generator) - pixels
    rows = _reflected(height, offsets[0])  # (batch, height)
    columns = _reflected(width, offsets[1])  # (batch, width)
    # One gather for all offsets: on two CPU threads 4 to 10 times as fast as one slice and mask per offset.
    positions = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
    return images.flatten(2).gather(2, positions[:, None].expand(-1, channels, -1)).view_as(images)


def _reflected(size: int, offsets: Int64[Tensor, " batch"]) -> Int64[Tensor, "batch size"]:
    """The source index of each row or column after the image has moved by ``offsets``, with reflection."""
    last = size - 1
    indices = torch.arange(size, device=offsets.device) - offsets[:, None]
    return last - (last - indices.abs()).abs()


def cutout(
    images: Shaped[Tensor, "batch channels height width"], size: int, generator: torch.Generator
) -> Shaped[Tensor, "batch channels height width"]:
    """``images``, each with a square of ``size`` x ``size`` px set to zero, at a random position inside it.

    In DeVries and Taylor 2017 the square may cross the border; here, as in Jordan 2024, it does not, and its
    area is the same in every image. Zero is black in pixels, and the mean in normalized images.

    Raises:
        ShapeError: if the square is larger than the images.
    """
    _, _, height, width = images.shape
    if not 0 <= size <= min(height, width):
        raise ShapeError(
            f"expected a cutout of 0 to {min(height, width)} px for {height} x {width} images, got {size}"
        )
    rows = _covered(height, size, images, generator)
    columns = _covered(width, size, images, generator)
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0)


def _covered(
    side: int,
    size: int,
    images: Shaped[Tensor, "batch channels height width"],
    generator: torch.Generator,
) -> Bool[Tensor, "batch side"]:
    """Which rows or columns of each image a square of ``size`` at a random position covers."""
    first = _random_integers(side - size + 1, len(images), images, generator)[:, None]
    positions = torch.arange(side, device=images.device)
    return (positions >= first) & (positions < first + size)


def _random_integers(
    below: int, shape: int | tuple[int, ...], images: Tensor, generator: torch.Generator
) -> Int64[Tensor, "..."]:
    """Random integers from 0 to ``below - 1``, drawn on the generator's device, on that of ``images``.

    A generator on the CPU therefore gives the same augmentation on every device.
    """
    shape = (shape,) if isinstance(shape, int) else shape
    return torch.randint(below, shape, generator=generator, device=generator.device).to(images.device)
