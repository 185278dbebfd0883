"""Data augmentation that computes new pixel values: random resized crop and color jitter."""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

MAX_ASPECT_RATIO = 4 / 3
"""The aspect ratio of a crop before it is resized is between the inverse of this and this."""
LUMA = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in gray (ITU-R BT.601)."""


def random_resized_crop(
    images: Shaped[Tensor, "batch channels height width"], min_area: float, generator: torch.Generator
) -> Shaped[Tensor, "batch channels height width"]:
    """A random crop of each image, of ``min_area`` to all of its area, resized to the size of the image.

    Szegedy et al. 2015 (arXiv 1409.4842), section 6, there with a ``min_area`` of 0.08. The aspect ratio is
    3:4 to 4:3, except where the crop would be larger than the image. Bilinear: crops are only enlarged.
    """
    area = min_area + (1 - min_area) * _uniform(images, generator)
    stretch = ((2 * _uniform(images, generator) - 1) * math.log(MAX_ASPECT_RATIO)).exp().sqrt()
    rows, columns = (area.sqrt() * stretch).clamp_max(1), (area.sqrt() / stretch).clamp_max(1)
    down = (2 * _uniform(images, generator) - 1) * (1 - rows)
    right = (2 * _uniform(images, generator) - 1) * (1 - columns)
    zero = torch.zeros_like(rows)
    transforms = torch.stack([columns, zero, right, zero, rows, down], 1).view(-1, 2, 3)
    grid = functional.affine_grid(transforms, list(images.shape), align_corners=False)
    cropped = functional.grid_sample(_as_float(images), grid, padding_mode="border", align_corners=False)
    return _as_pixels(cropped, images)


def color_jitter(
    images: Shaped[Tensor, "batch channels height width"], strength: float, generator: torch.Generator
) -> Shaped[Tensor, "batch channels height width"]:
    """``images`` with brightness, contrast and saturation each scaled by a random factor near 1.

    Each image has its own three factors, from ``1 - strength`` to ``1 + strength``. Contrast is relative to
    the mean of the image, saturation to the gray value of each pixel; gray images have no saturation. Values
    are clamped to 0 to 255 for integers, and to 0 to 1 for floats.
    """
    brightness, contrast, saturation = (
        (1 + strength * (2 * _uniform(images, generator) - 1))[:, None, None, None] for _ in range(3)
    )
    changed = _as_float(images) * brightness
    mean = changed.mean((1, 2, 3), keepdim=True)
    changed = mean + contrast * (changed - mean)
    if images.shape[1] == 3:
        weights = torch.tensor(LUMA, device=images.device)[:, None, None]
        gray = (weights * changed).sum(1, keepdim=True)
        changed = gray + saturation * (changed - gray)
    return _as_pixels(changed, images)


def _uniform(images: Tensor, generator: torch.Generator) -> Float[Tensor, " batch"]:
    """A random number from 0 to 1 for each image, drawn on the generator's device, so the same everywhere."""
    return torch.rand(len(images), generator=generator, device=generator.device).to(images.device)


def _as_float(images: Tensor) -> Tensor:
    return images if images.is_floating_point() else images.float()


def _as_pixels(changed: Tensor, images: Tensor) -> Tensor:
    """``changed`` clamped to the range of ``images``' dtype, and converted to it."""
    if images.is_floating_point():
        return changed.clamp(0, 1)
    return changed.round().clamp(0, 255).to(images.dtype)
