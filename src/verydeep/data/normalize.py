"""Pixels on their way into the network: resized, cropped at the center, and normalized by mean and std."""

import torch
from jaxtyping import Float, Float32, Shaped, UInt8
from torch import Tensor
from torch.nn import functional

from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import ShapeError


def resize(
    pixels: UInt8[Tensor, "count channels height width"], size: int
) -> UInt8[Tensor, "count channels size size"]:
    """``pixels`` at ``size`` x ``size`` px, bilinear and antialiased, as files are decoded."""
    return functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)


def crop_to(
    pixels: UInt8[Tensor, "count channels height width"], preprocess: Preprocess
) -> UInt8[Tensor, "count channels size size"]:
    """``pixels`` as the network sees them: the short side resized, the center cropped, as files are decoded.

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


def normalize(
    pixels: UInt8[Tensor, "batch channels height width"], preprocess: Preprocess
) -> Float32[Tensor, "batch channels height width"]:
    """What the network sees for ``pixels`` of 0 to 255 in gray or RGB order.

    The one place where pixels become numbers, for training, evaluation and prediction alike.

    Raises:
        ShapeError: where the pixels have other channels than ``preprocess`` asks for.
    """
    mean, std = _statistics(pixels, preprocess)
    return (_in_order(pixels, preprocess).float() / (255 / preprocess.scale) - mean) / std


def standardize(
    images: Float[Tensor, "batch channels height width"], preprocess: Preprocess
) -> Float[Tensor, "batch channels height width"]:
    """What the network sees for ``images`` from 0 to 1 in gray or RGB order; gradients go through.

    ``normalize`` for what is computed and not decoded, in fp32 at least.

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
