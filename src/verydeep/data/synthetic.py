"""A synthetic data set of filled shapes, drawn in memory: for tests and demonstrations without a download."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from verydeep.data.images import Dataset, Images
from verydeep.errors import DataError

Grid = NDArray[np.float32]
"""An array of (count, size, size), or one that broadcasts to it; 0 is a shape's center and 1 its radius."""


def shapes(count: int, *, size: int = 16, channels: int = 1, classes: int = 10, seed: int = 0) -> Images:
    """``count`` noisy images of one filled shape each; all classes have the same number of images.

    Position, size, noise, and the gray values of the shape and its darker background are random; gray values
    are random for each channel.

    Args:
        count: the number of images.
        size: their side in px, at least 8.
        channels: 1 for gray, 3 for color.
        classes: the number of shapes, 2 to 10: circle, square, triangle, cross, ring, ...
        seed: the same seed draws the same images.

    Raises:
        DataError: if a value is out of range.
    """
    if count < 0 or size < 8 or channels not in (1, 3) or not 2 <= classes <= len(_SHAPES):
        raise DataError(
            f"cannot draw {count} images of {size} px with {channels} channels and {classes} classes; "
            f"expected 0 images or more, 8 px or more, 1 or 3 channels and 2 to {len(_SHAPES)} classes"
        )
    random = np.random.default_rng(seed)
    names = tuple(_SHAPES)[:classes]
    labels = random.permutation(np.arange(count) % classes)
    radius = random.uniform(0.25, 0.4, (count, 1, 1)) * size
    center = random.uniform(radius, size - radius, (2, count, 1, 1)) if count else np.zeros((2, 0, 1, 1))
    pixel = np.arange(size) + 0.5
    down = ((pixel[:, None] - center[0]) / radius).astype(np.float32)  # (count, size, 1)
    right = ((pixel[None, :] - center[1]) / radius).astype(np.float32)  # (count, 1, size)
    inside = np.zeros((count, size, size), dtype=bool)
    for label, name in enumerate(names):
        chosen = labels == label
        inside[chosen] = _SHAPES[name](down[chosen], right[chosen])
    return Images(torch.from_numpy(_paint(inside, channels, random)), torch.from_numpy(labels), names)


def dataset(
    train: int = 2000,
    test: int = 500,
    *,
    size: int = 28,
    channels: int = 1,
    classes: int = 10,
    seed: int = 0,
) -> Dataset:
    """Different shapes for training and for testing.

    Raises:
        DataError: if a value is out of range.
    """
    images = shapes(train + test, size=size, channels=channels, classes=classes, seed=seed)
    indices = torch.arange(train + test)
    return Dataset("synthetic", images.select(indices[:train]), images.select(indices[train:]))


def _paint(inside: NDArray[np.bool_], channels: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Pixels of (count, channels, size, size): bright shapes on a darker background; noise of 12 of 255."""
    count, size, _ = inside.shape
    background = random.uniform(20, 100, (count, channels, 1, 1))
    foreground = background + random.uniform(60, 140, (count, channels, 1, 1))
    noise = random.normal(0, 12, (count, channels, size, size))
    pixels = np.where(inside[:, None], foreground, background) + noise
    return pixels.clip(0, 255).astype(np.uint8)


def _max_distance(down: Grid, right: Grid) -> Grid:
    return np.maximum(abs(down), abs(right))


def _min_distance(down: Grid, right: Grid) -> Grid:
    return np.minimum(abs(down), abs(right))


_SHAPES: dict[str, Callable[[Grid, Grid], NDArray[np.bool_]]] = {
    "circle": lambda down, right: down**2 + right**2 <= 1,
    "square": lambda down, right: _max_distance(down, right) <= 0.9,
    "triangle": lambda down, right: (down <= 0.9) & (abs(right) <= (down + 0.9) / 1.8),
    "cross": lambda down, right: (_min_distance(down, right) <= 0.3) & (_max_distance(down, right) <= 1),
    "ring": lambda down, right: abs(down**2 + right**2 - 0.7) <= 0.3,
    "bar": lambda down, right: (abs(down) <= 0.3) & (abs(right) <= 1),
    "pillar": lambda down, right: (abs(right) <= 0.3) & (abs(down) <= 1),
    "diamond": lambda down, right: abs(down) + abs(right) <= 1,
    "frame": lambda down, right: abs(_max_distance(down, right) - 0.75) <= 0.2,
    "saltire": lambda down, right: (
        (_min_distance(down - right, down + right) <= 0.4) & (_max_distance(down, right) <= 0.9)
    ),
}
