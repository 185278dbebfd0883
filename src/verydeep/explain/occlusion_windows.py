"""Where an image is covered, so that the drop of a prediction shows what it is based on."""

from itertools import product

WINDOWS_PER_SIDE = 7
"""The default window is 1/7 of the image's side, as large as a value of VGG's last map: 32 of 224 px."""


def occlusion_windows(
    height: int, width: int, window: int | None = None, stride: int | None = None
) -> list[tuple[slice, slice]]:
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
