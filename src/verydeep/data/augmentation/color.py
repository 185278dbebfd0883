"""Data augmentation that computes new pixel values: random resized crop and color jitter."""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

from verydeep.decoding.crop import MAX_ASPECT_RATIO

LUMA = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in gray (ITU-R BT.601)."""


def draw_crop(count: int, min_area: float, generator: torch.Generator) -> Float[Tensor, "count 4"]:
    """A random crop for each of ``count`` images, in units that do not depend on their size.

    The four columns: the square root of the area, of ``min_area`` to all of the image; the square root of
    width by height, from 3:4 to 4:3; and the position down and right, from -1 to 1. Szegedy et al. 2015
    (arXiv 1409.4842), section 6, there with a ``min_area`` of 0.08.
    """
    area = min_area + (1 - min_area) * _uniform(count, generator)
    stretch = ((2 * _uniform(count, generator) - 1) * math.log(MAX_ASPECT_RATIO)).exp().sqrt()
    down, right = (2 * _uniform(count, generator) - 1 for _ in range(2))
    return torch.stack([area.sqrt(), stretch, down, right], 1)


def random_resized_crop(
    images: Shaped[Tensor, "batch channels height width"], crops: Float[Tensor, "batch 4"]
) -> Shaped[Tensor, "batch channels height width"]:
    """The crop of each image, of ``draw_crop``, resized to the size of the image.

    Sides that would be longer than the image are cut. Bilinear: crops are only enlarged.
    """
    side, stretch, down, right = crops.to(images.device).unbind(1)
    rows, columns = (side * stretch).clamp_max(1), (side / stretch).clamp_max(1)
    down, right = down * (1 - rows), right * (1 - columns)
    zero = torch.zeros_like(rows)
    transforms = torch.stack([columns, zero, right, zero, rows, down], 1).view(-1, 2, 3)
    grid = functional.affine_grid(transforms, list(images.shape), align_corners=False)
    cropped = functional.grid_sample(_as_float(images), grid, padding_mode="border", align_corners=False)
    return _as_pixels(cropped, images)


def draw_color(count: int, strength: float, generator: torch.Generator) -> Float[Tensor, "count 3"]:
    """Random factors of brightness, contrast and saturation, from ``1 - strength`` to ``1 + strength``."""
    return torch.stack([1 + strength * (2 * _uniform(count, generator) - 1) for _ in range(3)], 1)


def color_jitter(
    images: Shaped[Tensor, "batch channels height width"], factors: Float[Tensor, "batch 3"]
) -> Shaped[Tensor, "batch channels height width"]:
    """``images`` with brightness, contrast and saturation each scaled by a factor of ``draw_color``.

    Contrast is relative to the mean of the image, saturation to the gray value of each pixel; gray images
    have no saturation. Values are clamped to 0 to 255 for integers, and to 0 to 1 for floats.
    """
    brightness, contrast, saturation = factors.to(images.device).T[:, :, None, None, None]
    changed = _as_float(images) * brightness
    mean = changed.mean((1, 2, 3), keepdim=True)
    changed = mean + contrast * (changed - mean)
    if images.shape[1] == 3:
        weights = torch.tensor(LUMA, device=images.device)[:, None, None]
        gray = (weights * changed).sum(1, keepdim=True)
        changed = gray + saturation * (changed - gray)
    return _as_pixels(changed, images)


def _uniform(count: int, generator: torch.Generator) -> Float[Tensor, " count"]:
    """Random numbers from 0 to 1, on the device of ``generator``."""
    return torch.rand(count, generator=generator, device=generator.device)


def _as_float(images: Tensor) -> Tensor:
    return images if images.is_floating_point() else images.float()


def _as_pixels(changed: Tensor, images: Tensor) -> Tensor:
    """``changed`` clamped to the range of ``images``' dtype, and converted to it."""
    if images.is_floating_point():
        return changed.clamp(0, 1)
    return changed.round().clamp(0, 255).to(images.dtype)
