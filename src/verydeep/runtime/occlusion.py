"""Occlusion without torch: which windows cover an image, and the heat from what they change.

Zeiler and Fergus 2014 (arXiv 1311.2901). ``explain/occlusion.py`` does the same with tensors.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
from jaxtyping import Float32

WINDOWS_PER_SIDE = 7
"""The default window is 1/7 of the image's side, as large as a value of VGG's last map: 32 of 224 px."""

Window = tuple[slice, slice]
"""Rows and columns of a square in an image."""


def occlusion_windows(
    height: int, width: int, window: int | None = None, stride: int | None = None
) -> list[Window]:
    """The squares that cover an image, row by row; 169 by default for a square image of 14 px or more.

    Args:
        height: of the image, in px.
        width: of the image, in px.
        window: side of a square in px; 1/7 of the image's shorter side by default.
        stride: px between squares; half of a side by default. The last square ends at the border.
    """
    window = window or max(1, round(min(height, width) / WINDOWS_PER_SIDE))
    stride = stride or -(-window // 2)
    return [
        (slice(top, top + window), slice(left, left + window))
        for top, left in product(_starts(height, window, stride), _starts(width, window, stride))
    ]


def _starts(length: int, window: int, stride: int) -> list[int]:
    last = max(0, length - window)
    return [*range(0, last, stride), last]


def cover(
    image: Float32[np.ndarray, "channels height width"], windows: Sequence[Window]
) -> Float32[np.ndarray, "windows channels height width"]:
    """Copies of a preprocessed image, each with one window in gray: the mean of the data, which is 0."""
    covered = np.repeat(image[None], len(windows), axis=0)
    for copy, (rows, columns) in zip(covered, windows, strict=True):
        copy[:, rows, columns] = 0
    return covered


def mean_over_windows(
    values: Float32[np.ndarray, " windows"], windows: Sequence[Window], size: tuple[int, int]
) -> Float32[np.ndarray, "height width"]:
    """For each pixel the mean value of the windows that cover it; 0 if none does."""
    sums, counts = np.zeros((2, *size), dtype=np.float32)
    for value, (rows, columns) in zip(values, windows, strict=True):
        sums[rows, columns] += value
        counts[rows, columns] += 1
    return sums / np.maximum(counts, 1)
