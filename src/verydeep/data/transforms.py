"""Pixels on their way into the network: augmentation of whole batches, and the one normalisation."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Interval
from jaxtyping import Bool, Float, Float32, Int64, Shaped, UInt8
from torch import Tensor
from torch.nn import functional

from verydeep.data.distort import colour, resized_crop
from verydeep.errors import ShapeError
from verydeep.spec.preprocess import Preprocess

Flip = Literal["none", "random", "alternating"]


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """What is done to training images, in this order; nothing by default."""

    flip: Flip = "none"
    """Mirror images left to right: at random, or every other epoch ("alternating", Jordan 2024)."""
    crop: Annotated[float, Interval(gt=0, le=1)] = 1.0
    """Cut out a rectangle of at least this part of each image's area, stretched to its size; 1 is off."""
    colour: Annotated[float, Interval(ge=0, lt=1)] = 0.0
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
    """``images`` after the flip, crop, change of colour, shift and cutout that ``config`` asks for.

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
    if config.colour:
        images = colour(images, config.colour, generator)
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
    """0 or 1 for each index, as if by a fair coin: the last bit of murmur3's 32-bit finaliser."""
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
    every image. Zero is black in pixels, and the mean once they are normalised.

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


def resize(
    pixels: UInt8[Tensor, "count channels height width"], size: int
) -> UInt8[Tensor, "count channels size size"]:
    """``pixels`` at ``size`` x ``size`` px, bilinear and antialiased, as files are decoded."""
    return functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)


def crop_to(
    pixels: UInt8[Tensor, "count channels height width"], preprocess: Preprocess
) -> UInt8[Tensor, "count channels size size"]:
    """``pixels`` as the network sees them: the short side resized, the centre cropped, as files are decoded.

    Images of the network's own size pass as they are: they were made for it.
    """
    size = preprocess.size
    if pixels.shape[2:] == (size, size):
        return pixels
    pixels = shorten(pixels, preprocess.short_side)
    height, width = pixels.shape[2:]
    top, left = round((height - size) / 2), round((width - size) / 2)
    return pixels[:, :, top : top + size, left : left + size]


def shorten(
    pixels: UInt8[Tensor, "count channels height width"], short_side: int
) -> UInt8[Tensor, "count channels rows columns"]:
    """``pixels`` whole, their short side resized to ``short_side`` px, as files are decoded."""
    short = min(pixels.shape[2:])
    height, width = (int(short_side * side / short) for side in pixels.shape[2:])
    if pixels.shape[2:] == (height, width):
        return pixels
    return functional.interpolate(pixels, (height, width), mode="bilinear", antialias=True)


def normalise(
    pixels: UInt8[Tensor, "batch channels height width"], preprocess: Preprocess
) -> Float32[Tensor, "batch channels height width"]:
    """What the network sees for ``pixels`` of 0 to 255 in grey or RGB order.

    The one place where pixels become numbers, for training, evaluation and prediction alike.

    Raises:
        ShapeError: where the pixels have other channels than ``preprocess`` asks for.
    """
    mean, std = _statistics(pixels, preprocess)
    return (_in_order(pixels, preprocess).float() / (255 / preprocess.scale) - mean) / std


def standardise(
    images: Float[Tensor, "batch channels height width"], preprocess: Preprocess
) -> Float[Tensor, "batch channels height width"]:
    """What the network sees for ``images`` from 0 to 1 in grey or RGB order; gradients go through.

    ``normalise`` for what is computed and not decoded, in fp32 at least.

    Raises:
        ShapeError: where the images have other channels than ``preprocess`` asks for.
    """
    mean, std = _statistics(images, preprocess)
    return (_in_order(images, preprocess) * preprocess.scale - mean) / std


def _in_order(
    images: Shaped[Tensor, "batch channels height width"], preprocess: Preprocess
) -> Shaped[Tensor, "batch channels height width"]:
    channels = images.shape[1]
    if channels != preprocess.channels:
        raise ShapeError(
            f"images have {channels} channels; this preprocessing is for {preprocess.channels}. "
            "Decode or load them with the network's own preprocessing."
        )
    return images.flip(1) if preprocess.order == "bgr" else images


def _statistics(images: Tensor, preprocess: Preprocess) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel beside ``images``, in fp32 or finer."""
    dtype = torch.promote_types(images.dtype, torch.float32)
    mean, std = (
        torch.tensor(values, dtype=dtype, device=images.device)[:, None, None]
        for values in (preprocess.mean, preprocess.std)
    )
    return mean, std
