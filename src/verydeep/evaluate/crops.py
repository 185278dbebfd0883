"""Crops of a whole image, at the places where the papers take them."""

import torch
from jaxtyping import UInt8
from torch import Tensor

from verydeep.errors import ShapeError

Place = tuple[int, int]
"""The rows above a crop and the columns to its left, in px."""


def corners_and_center(height: int, width: int, size: int) -> tuple[Place, ...]:
    """The four corners, then the center (Krizhevsky 2012, section 4.1); with mirror images, ten crops.

    Places that fall on one another are given once.
    """
    down, right = _room(height, width, size)
    corners = [(top, left) for top in (0, down) for left in (0, right)]
    return tuple(dict.fromkeys([*corners, (round(down / 2), round(right / 2))]))


def grid(height: int, width: int, size: int, steps: int = 5) -> tuple[Place, ...]:
    """``steps`` by ``steps`` places, evenly from corner to corner (Simonyan and Zisserman 2014, section 3.2).

    Places that fall on one another are given once.
    """
    tops, lefts = (
        dict.fromkeys(round(room * step / (steps - 1)) for step in range(steps))
        for room in _room(height, width, size)
    )
    return tuple((top, left) for top in tops for left in lefts)


def _room(height: int, width: int, size: int) -> Place:
    """How far a crop may move down and right."""
    if min(height, width) < size:
        raise ShapeError(
            f"images are {height} x {width}; crops of {size} px need that at least. Enlarge them"
        )
    return height - size, width - size


def crops(
    pixels: UInt8[Tensor, "count channels height width"], size: int, places: tuple[Place, ...]
) -> UInt8[Tensor, "places count channels size size"]:
    """The squares of ``size`` px at each of ``places``, of each image."""
    return torch.stack([pixels[:, :, top : top + size, left : left + size] for top, left in places])
