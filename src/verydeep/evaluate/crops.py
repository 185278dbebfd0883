"""Crops of a whole image at the positions of the papers: corners and center, or a 5 x 5 grid."""

import torch
from jaxtyping import UInt8
from torch import Tensor

from verydeep.errors import ShapeError

CropPosition = tuple[int, int]
"""The top row and the left column of a crop, in px."""


def corners_and_center(height: int, width: int, size: int) -> tuple[CropPosition, ...]:
    """The four corners, then the center (Krizhevsky 2012, section 4.1); with mirror images, ten crops.

    Equal positions are returned once.
    """
    bottom, right = _largest_position(height, width, size)
    corners = [(top, left) for top in (0, bottom) for left in (0, right)]
    return tuple(dict.fromkeys([*corners, (round(bottom / 2), round(right / 2))]))


def grid(height: int, width: int, size: int, steps: int = 5) -> tuple[CropPosition, ...]:
    """``steps`` by ``steps`` positions, evenly spaced (Simonyan and Zisserman 2014, section 3.2).

    Equal positions are returned once.
    """
    tops, lefts = (
        dict.fromkeys(round(largest * step / (steps - 1)) for step in range(steps))
        for largest in _largest_position(height, width, size)
    )
    return tuple((top, left) for top in tops for left in lefts)


def _largest_position(height: int, width: int, size: int) -> CropPosition:
    if min(height, width) < size:
        raise ShapeError(
            f"images are {height} x {width}; crops of {size} px need at least {size} px a side. Enlarge them"
        )
    return height - size, width - size


def crops(
    pixels: UInt8[Tensor, "count channels height width"], size: int, positions: tuple[CropPosition, ...]
) -> UInt8[Tensor, "positions count channels size size"]:
    """The crops of ``size`` x ``size`` px at ``positions`` of every image."""
    return torch.stack([pixels[:, :, top : top + size, left : left + size] for top, left in positions])
