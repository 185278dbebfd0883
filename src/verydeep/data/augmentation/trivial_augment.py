"""TrivialAugment: each image is changed by one of 14 operations, at a strength that is drawn for it.

Mueller and Hutter 2021 (arXiv 2103.10158), section 3, with the strengths of its "wide" space. There is
nothing to set. Operations that Pillow has give its values: equalize, posterize and solarize to the bit, the
others but for rounding.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

from verydeep.data.augmentation.color import as_float, as_pixels, gray_of, mean_of_each

LEVELS = 31
"""Strengths, from 0 to the largest."""
LARGEST = 0.99
"""Of a shear, and of the change of brightness, color, contrast and sharpness."""
TRANSLATION = 1 / 7
"""Of the side: 32 px of 224."""
DEGREES = 135.0
LEAST_BITS = 2
SMOOTHING = torch.tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
"""Pillow's kernel."""

Pixels = Float[Tensor, "images channels height width"]
"""From 0 to 255."""
Strengths = Float[Tensor, " images"]
"""From -1 to 1; operations without a direction take their size."""


def draw_trivial(count: int, generator: torch.Generator) -> Float[Tensor, "count 2"]:
    """For each of ``count`` images the number of an operation, and a strength from -1 to 1."""
    device = generator.device
    operation = torch.randint(len(OPERATIONS), (count,), generator=generator, device=device)
    level = torch.randint(LEVELS, (count,), generator=generator, device=device) / (LEVELS - 1)
    sign = 2 * torch.randint(2, (count,), generator=generator, device=device) - 1
    return torch.stack([operation.float(), level * sign], 1)


def trivial_augment(
    images: Shaped[Tensor, "batch channels height width"], choices: Float[Tensor, "batch 2"]
) -> Shaped[Tensor, "batch channels height width"]:
    """``images``, each changed by the operation of ``draw_trivial``.

    Values are those of pixels, 0 to 255, for integers, and 0 to 1 for floats.
    """
    scale = 255.0 if images.is_floating_point() else 1.0
    changed = as_float(images) * scale
    for number, operation in enumerate(OPERATIONS):
        chosen = (choices[:, 0] == number).nonzero()[:, 0]
        if len(chosen):
            here = chosen.to(images.device)
            changed[here] = operation(changed[here], choices[chosen, 1].to(images.device))
    return as_pixels(changed / scale, images)


def _identity(images: Pixels, strength: Strengths) -> Pixels:
    return images


def _shear_x(images: Pixels, strength: Strengths) -> Pixels:
    return _moved(images, x_by_y=LARGEST * strength)


def _shear_y(images: Pixels, strength: Strengths) -> Pixels:
    return _moved(images, y_by_x=LARGEST * strength)


def _translate_x(images: Pixels, strength: Strengths) -> Pixels:
    return _moved(images, right=2 * TRANSLATION * strength)


def _translate_y(images: Pixels, strength: Strengths) -> Pixels:
    return _moved(images, down=2 * TRANSLATION * strength)


def _rotate(images: Pixels, strength: Strengths) -> Pixels:
    angle = strength * math.radians(DEGREES)
    return _moved(images, angle.cos(), -angle.sin(), angle.sin(), angle.cos())


def _moved(
    images: Pixels,
    x_by_x: Tensor | float = 1.0,
    x_by_y: Tensor | float = 0.0,
    y_by_x: Tensor | float = 0.0,
    y_by_y: Tensor | float = 1.0,
    right: Tensor | float = 0.0,
    down: Tensor | float = 0.0,
) -> Pixels:
    """``images`` read at positions that are a linear map of their own, from -1 to 1; outside is black."""
    like = images.new_zeros(len(images))
    entries = (x_by_x, x_by_y, right, y_by_x, y_by_y, down)
    transforms = torch.stack([like + entry for entry in entries], 1).view(-1, 2, 3)
    grid = functional.affine_grid(transforms, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def _brightness(images: Pixels, strength: Strengths) -> Pixels:
    return _away_from(torch.zeros_like(images), images, strength)


def _color(images: Pixels, strength: Strengths) -> Pixels:
    return _away_from(gray_of(images), images, strength)


def _contrast(images: Pixels, strength: Strengths) -> Pixels:
    return _away_from(mean_of_each(gray_of(images)), images, strength)


def _sharpness(images: Pixels, strength: Strengths) -> Pixels:
    kernel = SMOOTHING.to(images)[None, None].expand(images.shape[1], 1, 3, 3)
    smooth = images.clone()  # Pillow leaves the border as it is
    smooth[:, :, 1:-1, 1:-1] = functional.conv2d(images, kernel, groups=images.shape[1])
    return _away_from(smooth, images, strength)


def _away_from(base: Tensor, images: Pixels, strength: Strengths) -> Pixels:
    """``images`` nearer to ``base`` for a negative strength, farther from it for a positive one."""
    factor = (1 + LARGEST * strength)[:, None, None, None]
    return (base + factor * (images - base)).clamp(0, 255)


def _posterize(images: Pixels, strength: Strengths) -> Pixels:
    removed = ((8 - LEAST_BITS) * strength.abs()).round()[:, None, None, None]
    return (images.floor() / 2**removed).floor() * 2**removed


def _solarize(images: Pixels, strength: Strengths) -> Pixels:
    threshold = (255 * (1 - strength.abs()))[:, None, None, None]
    return torch.where(images >= threshold, 255 - images, images)


def _autocontrast(images: Pixels, strength: Strengths) -> Pixels:
    least, most = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    stretched = (images - least) * (255 / (most - least).clamp_min(1))
    return torch.where(most > least, stretched, images)


def _equalize(images: Pixels, strength: Strengths) -> Pixels:
    """Each channel through the table of Pillow's ``ImageOps.equalize``."""
    values = images.floor().long().flatten(2)
    counts = torch.zeros(*values.shape[:2], 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, values, torch.ones_like(values))
    last = counts.gather(2, values.amax(2, keepdim=True))
    step = (values.shape[2] - last) // 255
    table = (step // 2 + counts.cumsum(2) - counts) // step.clamp_min(1)
    equalized = table.clamp(0, 255).gather(2, values).view_as(images)
    return torch.where(step[..., None] > 0, equalized.float(), images)


OPERATIONS: tuple[Callable[[Pixels, Strengths], Pixels], ...] = (
    _identity,
    _shear_x,
    _shear_y,
    _translate_x,
    _translate_y,
    _rotate,
    _brightness,
    _color,
    _contrast,
    _sharpness,
    _posterize,
    _solarize,
    _autocontrast,
    _equalize,
)
