"""Random erasing: a rectangle of an image is replaced by the mean color of the image.

Zhong et al. 2020 (arXiv 1708.04896), section 3, there with random values, or the mean of the data
set. The ranges of area and aspect ratio are about those of torchvision.
"""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

LEAST_AREA, LARGEST_AREA = 0.02, 1 / 3
"""Of the image."""
MAX_ASPECT_RATIO = 10 / 3


def draw_erasing(count: int, probability: float, generator: torch.Generator) -> Float[Tensor, "count 4"]:
    """A rectangle for each of ``count`` images: first row and column, height and width, as parts of the side.

    Height and width are 0 for images that stay as they are. A side longer than the image is cut.
    """
    chance, area, aspect, down, right = torch.rand(5, count, generator=generator, device=generator.device)
    area = LEAST_AREA + (LARGEST_AREA - LEAST_AREA) * area
    stretch = ((2 * aspect - 1) * math.log(MAX_ASPECT_RATIO)).exp().sqrt()
    sides = torch.stack([(area.sqrt() * stretch), (area.sqrt() / stretch)], 1).clamp_max(1)
    first = torch.stack([down, right], 1) * (1 - sides)
    return torch.cat([first, sides * (chance < probability)[:, None]], 1)


def erase(
    images: Shaped[Tensor, "batch channels height width"], rectangles: Float[Tensor, "batch 4"]
) -> Shaped[Tensor, "batch channels height width"]:
    """``images`` with the rectangles of ``draw_erasing`` in the mean color of each."""
    first_row, first_column, height, width = rectangles.to(images.device).unbind(1)
    rows = _within(images.shape[2], first_row, height)
    columns = _within(images.shape[3], first_column, width)
    mean = images.float().mean((2, 3), keepdim=True)
    if not images.is_floating_point():
        mean = mean.round()
    erased = rows[:, None, :, None] & columns[:, None, None, :]
    return torch.where(erased, mean.to(images.dtype), images)


def _within(side: int, first: Tensor, length: Tensor) -> Tensor:
    """Which rows or columns of each image have their center inside."""
    centers = (torch.arange(side, device=first.device) + 0.5) / side
    return (centers >= first[:, None]) & (centers < (first + length)[:, None])
