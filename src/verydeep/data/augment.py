"""Data augmentation of whole batches: flips, crops, colors, shifts and cutout, on any device."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Interval
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

from verydeep.data.color_augment import color, resized_crop
from verydeep.errors import ShapeError

Flip = Literal["none", "random", "alternating"]


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """What is done to training images, in this order; nothing by default."""

    flip: Flip = "none"
    """Mirror images left to right: at random, or every other epoch ("alternating", Jordan 2024)."""
    crop: Annotated[float, Interval(gt=0, le=1)] = 1.0
    """Cut out a rectangle of at least this part of each image's area, stretched to its size; 1 is off."""
    color: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Change brightness, contrast and saturation each by up to this part; 0 is off."""
    shift: Annotated[int, Ge(0)] = 0
    """Move each image by up to this many px either way, reflecting it at the border."""
    cutout: Annotated[int, Ge(0)] = 0
    """Side in px of a square that is blackened in each image; 0 leaves images whole."""


def augment(
    images: Shaped[Tensor, "batch channels height width"],
    indices: Int64[Tensor, " batch"],
    epoch: int,
    config: AugmentConfig,
    generator: torch.Generator,
) -> Shaped[Tensor, "batch channels height width"]:
    """``images`` after the flip, crop, change of color, shift and cutout that ``config`` asks for.

    Args:
        images: of any number type, on any device.
        indices: each image's place in the training set, which "alternating" flips by.
        epoch: counted from 0.
        config: which augmentations, and how strong.
        generator: the only source of chance: the same state gives the same images.

    Raises:
        ShapeError: where a shift or a cutout is too large for the images.
    """
    if config.flip == "random":
        images = random_flip(images, generator)
    elif config.flip == "alternating":
        images = alternating_flip(images, indices, epoch)
    if config.crop < 1:
        images = resized_crop(images, config.crop, generator)
    if config.color:
        images = color(images, config.color, generator)
    if config.shift:
        images = shift(images, config.shift, generator)
    if config.cutout:
        images = cutout(images, config.cutout, generator)
    return images


def random_flip(
    images: Shaped[Tensor, "batch channels height width"], generator: torch.Generator
) -> Shaped[Tensor, "batch channels height width"]:
    """``images``, each mirrored left to right with probability one half."""
    indices = torch.arange(len(images), device=images.device)
    return _flip(images, mirrored(indices, 0, "random", generator))


def alternating_flip(
    images: Shaped[Tensor, "batch channels height width"], indices: Int64[Tensor, " batch"], epoch: int
) -> Shaped[Tensor, "batch channels height width"]:
    """``images``, about half of them mirrored in epoch 0, and each the other way round every next epoch.

    Any two epochs in a row show each image both ways. Jordan 2024 (arXiv 2404.00498), section 3.6: a hash
    of its index decides how an image starts.
    """
    return _flip(images, _alternating(indices.to(images.device), epoch))


def mirrored(
    indices: Int64[Tensor, " batch"], epoch: int, flip: Flip, generator: torch.Generator
) -> Bool[Tensor, " batch"]:
    """Which images of a batch ``flip`` mirrors, for what was computed from them both ways."""
    match flip:
        case "none":
            return torch.zeros_like(indices, dtype=torch.bool)
        case "random":
            return _draw(2, len(indices), indices, generator).bool()
        case "alternating":
            return _alternating(indices, epoch)


def _alternating(indices: Int64[Tensor, " batch"], epoch: int) -> Bool[Tensor, " batch"]:
    return (_hash_bit(indices) + epoch) % 2 == 1


def _flip(
    images: Shaped[Tensor, "batch channels height width"], mirrored: Bool[Tensor, " batch"]
) -> Shaped[Tensor, "batch channels height width"]:
    return torch.where(mirrored[:, None, None, None], images.flip(-1), images)


def _hash_bit(indices: Int64[Tensor, " batch"]) -> Int64[Tensor, " batch"]:
    """0 or 1 for each index, as if by a fair coin: the last bit of murmur3's 32-bit finalizer."""
    bits = indices & 0xFFFFFFFF
    for multiplier, places in ((0x85EBCA6B, 16), (0xC2B2AE35, 13)):
        bits = ((bits ^ (bits >> places)) * multiplier) & 0xFFFFFFFF  # int64 wraps; the low half is exact
    return (bits ^ (bits >> 16)) & 1


def shift(
    images: Shaped[Tensor, "batch channels height width"], pixels: int, generator: torch.Generator
) -> Shaped[Tensor, "batch channels height width"]:
    """``images``, each moved by its own whole number of px, up to ``pixels`` down or up and right or left.

    What moves in from outside is the image reflected at its border, the border itself not repeated.

    Raises:
        ShapeError: where ``pixels`` reaches past the far side, so that nothing is left to reflect.
    """
    _, channels, height, width = images.shape
    if not 0 <= pixels < min(height, width):
        raise ShapeError(
            f"a shift of {pixels} px was asked for {height} x {width} images; "
            f"expected 0 to {min(height, width) - 1}"
        )
    offsets = _draw(2 * pixels + 1, (2, len(images)), images, generator) - pixels
    rows = _reflected(height, offsets[0])  # (batch, height)
    columns = _reflected(width, offsets[1])  # (batch, width)
    # One gather for all offsets: on two CPU threads 4 to 10 times as fast as a slice and mask an offset.
    places = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
    return images.flatten(2).gather(2, places[:, None].expand(-1, channels, -1)).view_as(images)


def _reflected(size: int, offsets: Int64[Tensor, " batch"]) -> Int64[Tensor, "batch size"]:
    """Which of ``size`` places each place reads from once the image has moved by ``offsets``."""
    last = size - 1
    places = torch.arange(size, device=offsets.device) - offsets[:, None]
    return last - (last - places.abs()).abs()


def cutout(
    images: Shaped[Tensor, "batch channels height width"], size: int, generator: torch.Generator
) -> Shaped[Tensor, "batch channels height width"]:
    """``images``, each with a square of ``size`` px a side set to zero, anywhere wholly inside it.

    DeVries and Taylor 2017 let the square stick out; here, as in Jordan 2024, its area is the same in
    every image. Zero is black in pixels, and the mean once they are normalized.

    Raises:
        ShapeError: where the square is larger than the images.
    """
    _, _, height, width = images.shape
    if not 0 <= size <= min(height, width):
        raise ShapeError(
            f"a cutout of {size} px was asked for {height} x {width} images; "
            f"expected 0 to {min(height, width)}"
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
    """Where a run of ``size`` places lies on each image's ``side``."""
    first = _draw(side - size + 1, len(images), images, generator)[:, None]
    places = torch.arange(side, device=images.device)
    return (places >= first) & (places < first + size)


def _draw(
    below: int, shape: int | tuple[int, ...], images: Tensor, generator: torch.Generator
) -> Int64[Tensor, "..."]:
    """Whole numbers from 0, less than ``below``, drawn where the generator lives and used where images do.

    A generator on the CPU so gives the same augmentation on every device.
    """
    shape = (shape,) if isinstance(shape, int) else shape
    return torch.randint(below, shape, generator=generator, device=generator.device).to(images.device)
