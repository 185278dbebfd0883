"""Preprocessing of pixels in memory: the fit to the input size, and normalization by mean and deviation."""

import torch
from jaxtyping import Float, Float32, Shaped, UInt8
from torch import Tensor
from torch.nn import functional

from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import ShapeError


def resize(
    pixels: UInt8[Tensor, "count channels height width"], size: int
) -> UInt8[Tensor, "count channels size size"]:
    """``pixels`` resized to ``size`` x ``size`` px, bilinear and antialiased, as in ``decode``."""
    return functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)


def fit_to_input(
    pixels: UInt8[Tensor, "count channels height width"], preprocess: Preprocess
) -> UInt8[Tensor, "count channels size size"]:
    """``pixels`` at the input size of the network: cropped, padded or squashed, as in ``decode``.

    Images that already have the input size are returned unchanged.
    """
    if pixels.shape[2:] == (preprocess.size, preprocess.size):
        return pixels
    match preprocess.fit:
        case "crop":
            return _crop(resize_short_side(pixels, preprocess.short_side), preprocess.size)
        case "pad":
            return _pad(pixels, preprocess)
        case "squash":
            return resize(pixels, preprocess.size)


def _crop(
    pixels: UInt8[Tensor, "count channels height width"], size: int
) -> UInt8[Tensor, "count channels size size"]:
    height, width = pixels.shape[2:]
    top, left = round((height - size) / 2), round((width - size) / 2)
    return pixels[:, :, top : top + size, left : left + size]


def _pad(
    pixels: UInt8[Tensor, "count channels height width"], preprocess: Preprocess
) -> UInt8[Tensor, "count channels size size"]:
    size = preprocess.size
    width, height = preprocess.inner_size(pixels.shape[3], pixels.shape[2])
    color = torch.tensor(preprocess.padding, dtype=torch.uint8, device=pixels.device)[:, None, None]
    padded = color.expand(len(pixels), -1, size, size).clone()
    top, left = (size - height) // 2, (size - width) // 2
    inner = functional.interpolate(pixels, (height, width), mode="bilinear", antialias=True)
    padded[:, :, top : top + height, left : left + width] = inner
    return padded


def resize_short_side(
    pixels: UInt8[Tensor, "count channels height width"], short_side: int
) -> UInt8[Tensor, "count channels rows columns"]:
    """``pixels`` with their short side resized to ``short_side`` px, not cropped, as in ``decode_whole``."""
    short = min(pixels.shape[2:])
    height, width = (int(short_side * side / short) for side in pixels.shape[2:])
    if pixels.shape[2:] == (height, width):
        return pixels
    return functional.interpolate(pixels, (height, width), mode="bilinear", antialias=True)


def normalize(
    pixels: UInt8[Tensor, "batch channels height width"], preprocess: Preprocess
) -> Float32[Tensor, "batch channels height width"]:
    """The network input for ``pixels`` from 0 to 255 in gray or RGB order.

    Training, evaluation and prediction all use this function.

    Raises:
        ShapeError: if the number of channels is not that of ``preprocess``.
    """
    mean, std = _statistics(pixels, preprocess)
    return (_to_channel_order(pixels, preprocess).float() / (255 / preprocess.scale) - mean) / std


def standardize(
    images: Float[Tensor, "batch channels height width"], preprocess: Preprocess
) -> Float[Tensor, "batch channels height width"]:
    """The network input for float ``images`` from 0 to 1 in gray or RGB order; differentiable.

    The same as ``normalize``, for computed images; at least in fp32.

    Raises:
        ShapeError: if the number of channels is not that of ``preprocess``.
    """
    mean, std = _statistics(images, preprocess)
    return (_to_channel_order(images, preprocess) * preprocess.scale - mean) / std


def _to_channel_order(
    images: Shaped[Tensor, "batch channels height width"], preprocess: Preprocess
) -> Shaped[Tensor, "batch channels height width"]:
    channels = images.shape[1]
    if channels != preprocess.channels:
        raise ShapeError(
            f"images have {channels} channels; this preprocessing needs {preprocess.channels}. "
            "Decode or load them with the network's own preprocessing."
        )
    return images.flip(1) if preprocess.order == "bgr" else images


def _statistics(images: Tensor, preprocess: Preprocess) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel on the device of ``images``, at least in fp32."""
    dtype = torch.promote_types(images.dtype, torch.float32)
    mean, std = (
        torch.tensor(values, dtype=dtype, device=images.device)[:, None, None]
        for values in (preprocess.mean, preprocess.std)
    )
    return mean, std
