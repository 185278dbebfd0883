"""Augmentation that makes new values of pixels: crops stretched to the size, and changes of color."""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

TALLEST = 4 / 3
"""Height to width of a crop before it is stretched: from the inverse of this to this."""
LUMA = (0.299, 0.587, 0.114)
"""How much red, green and blue make gray (ITU-R BT.601)."""


def resized_crop(
    images: Shaped[Tensor, "batch channels height width"], least: float, generator: torch.Generator
) -> Shaped[Tensor, "batch channels height width"]:
    """``images``, each a rectangle of itself, of ``least`` to all of its area, stretched to the whole size.

    Szegedy et al. 2015 (arXiv 1409.4842), section 6, there with ``least`` 0.08. Sides keep to a proportion
    of 3:4 to 4:3 as far as the image is wide enough. Bilinear: a crop is only ever enlarged.
    """
    area = least + (1 - least) * _uniform(images, generator)
    slant = ((2 * _uniform(images, generator) - 1) * math.log(TALLEST)).exp().sqrt()
    rows, columns = (area.sqrt() * slant).clamp_max(1), (area.sqrt() / slant).clamp_max(1)
    down = (2 * _uniform(images, generator) - 1) * (1 - rows)
    right = (2 * _uniform(images, generator) - 1) * (1 - columns)
    zero = torch.zeros_like(rows)
    places = torch.stack([columns, zero, right, zero, rows, down], 1).view(-1, 2, 3)
    grid = functional.affine_grid(places, list(images.shape), align_corners=False)
    cropped = functional.grid_sample(_as_float(images), grid, padding_mode="border", align_corners=False)
    return _as_pixels(cropped, images)


def color(
    images: Shaped[Tensor, "batch channels height width"], strength: float, generator: torch.Generator
) -> Shaped[Tensor, "batch channels height width"]:
    """``images`` with brightness, contrast and saturation each times a factor within ``strength`` of 1.

    Each image has factors of its own. Contrast is about the image's mean, saturation about each pixel's gray;
    gray images have none. Values stay within 0 and 255, or 0 and 1 where they are no whole numbers.
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
    """A number from 0 to 1 for each image, drawn where the generator lives: the same on every device."""
    return torch.rand(len(images), generator=generator, device=generator.device).to(images.device)


def _as_float(images: Tensor) -> Tensor:
    return images if images.is_floating_point() else images.float()


def _as_pixels(changed: Tensor, images: Tensor) -> Tensor:
    """``changed`` in the type of ``images``, within its range."""
    if images.is_floating_point():
        return changed.clamp(0, 1)
    return changed.round().clamp(0, 255).to(images.dtype)
