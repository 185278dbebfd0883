"""Where an image is covered, so that the drop of a prediction shows what it is based on."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from jaxtyping import Float32

Window = tuple[slice, slice]
"""Rows and columns of a square in an image."""

WINDOWS_PER_SIDE = 7
"""The default window is 1/7 of the image's side, as large as a value of VGG's last map: 32 of 224 px."""


def occlusion_windows(
    height: int, width: int, window: int | None = None, stride: int | None = None
) -> list[Window]:
    """The rows and columns of each window of an image of ``height`` x ``width`` px.

    Args:
        height: in px.
        width: in px.
        window: side of the square in px; 1/7 of the image's short side by default.
        stride: px between windows; half of the window by default. The last window ends at the border.
    """
    window = window or max(1, round(min(height, width) / WINDOWS_PER_SIDE))
    stride = stride or -(-window // 2)
    corners = product(_starts(height, window, stride), _starts(width, window, stride))
    return [(slice(top, top + window), slice(left, left + window)) for top, left in corners]


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
