"""Data augmentation that computes new pixel values: random resized crop, color jitter, PCA color shift."""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

from verydeep.decoding.crop import MAX_ASPECT_RATIO

LUMA = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in gray (ITU-R BT.601)."""
LEAST_SHORT_SIDE = 256 / 224
"""Of an image that a crop of the input size is cut from, relative to that size, in scale jitter."""
COLOR_EIGENVALUES = (0.2175, 0.0188, 0.0045)
"""Of the colors of ImageNet, with pixels from 0 to 1, as commonly published for this augmentation."""
COLOR_COMPONENTS = ((-0.5675, -0.5808, -0.5836), (0.7192, -0.0045, -0.6948), (0.4009, -0.8140, 0.4203))
"""The eigenvectors, in the same order."""


def draw_crop(count: int, min_area: float, generator: torch.Generator) -> Float[Tensor, "count 4"]:
    """A random crop for each of ``count`` images, in units that do not depend on their size.

    The four columns: the square root of the area, of ``min_area`` to all of the image; the square root of
    height by width, from 3:4 to 4:3; and the position down and right, from -1 to 1. Szegedy et al. 2015
    (arXiv 1409.4842), section 6, there with a ``min_area`` of 0.08.
    """
    area = min_area + (1 - min_area) * _uniform(count, generator)
    stretch = ((2 * _uniform(count, generator) - 1) * math.log(MAX_ASPECT_RATIO)).exp().sqrt()
    down, right = (2 * _uniform(count, generator) - 1 for _ in range(2))
    return torch.stack([area.sqrt(), stretch, down, right], 1)


def draw_scale_jitter(count: int, largest: float, generator: torch.Generator) -> Float[Tensor, "count 4"]:
    """A square for each of ``count`` images, as ``draw_crop``; its side is relative to the short side.

    It is what remains where an image is resized to a random short side, and a square of the input size is cut
    from a random position. The short side is at least 8/7 of the input size (256 for 224), and at most
    ``largest`` times that. Simonyan and Zisserman 2014 (arXiv 1409.1556), section 3.1, there with 256 to 512.
    """
    short_side = LEAST_SHORT_SIDE * (1 + (largest - 1) * _uniform(count, generator))
    down, right = (2 * _uniform(count, generator) - 1 for _ in range(2))
    return torch.stack([1 / short_side, torch.ones_like(down), down, right], 1)


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
    cropped = functional.grid_sample(as_float(images), grid, padding_mode="border", align_corners=False)
    return as_pixels(cropped, images)


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
    changed = as_float(images) * brightness
    mean = mean_of_each(changed)
    changed = mean + contrast * (changed - mean)
    if images.shape[1] == 3:
        gray = gray_of(changed)
        changed = gray + saturation * (changed - gray)
    return as_pixels(changed, images)


def draw_pca_color(count: int, deviation: float, generator: torch.Generator) -> Float[Tensor, "count 3"]:
    """How much is added to red, green and blue of each image, as a part of their range.

    Along each principal component of the colors of ImageNet, a normally distributed multiple of its
    eigenvalue. Krizhevsky et al. 2012, section 4.1, with a ``deviation`` of 0.1.
    """
    multiples = deviation * torch.randn(count, 3, generator=generator, device=generator.device)
    components = torch.tensor(COLOR_COMPONENTS, device=generator.device)
    return (multiples * torch.tensor(COLOR_EIGENVALUES, device=generator.device)) @ components


def pca_color_shift(
    images: Shaped[Tensor, "batch channels height width"], colors: Float[Tensor, "batch 3"]
) -> Shaped[Tensor, "batch channels height width"]:
    """``images`` with the color of ``draw_pca_color`` added; gray images get the gray of it."""
    added = colors.to(images.device)[:, :, None, None]
    if images.shape[1] != 3:
        added = gray_of(added)
    scale = 1 if images.is_floating_point() else 255
    return as_pixels(as_float(images) + scale * added, images)


def _uniform(count: int, generator: torch.Generator) -> Float[Tensor, " count"]:
    """Random numbers from 0 to 1, on the device of ``generator``."""
    return torch.rand(count, generator=generator, device=generator.device)


def gray_of(images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 1 height width"]:
    """The gray value of each pixel of RGB images; other images are their own mean over the channels."""
    if images.shape[1] != 3:
        return images.mean(1, keepdim=True)
    weights = torch.tensor(LUMA, device=images.device)[:, None, None]
    return (weights * images).sum(1, keepdim=True)


def mean_of_each(images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 1 1 1"]:
    """The mean of each image; summed in fp64, so that it is the same however many images are in the batch."""
    return images.mean((1, 2, 3), keepdim=True, dtype=torch.float64).to(images)


def as_float(images: Tensor) -> Tensor:
    """``images`` in a floating-point dtype."""
    return images if images.is_floating_point() else images.float()


def as_pixels(changed: Tensor, images: Tensor) -> Tensor:
    """``changed`` clamped to the range of ``images``' dtype, and converted to it."""
    if images.is_floating_point():
        return changed.clamp(0, 1)
    return changed.round().clamp(0, 255).to(images.dtype)
