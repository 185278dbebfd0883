"""Labeled images in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from verydeep.data.normalize import resize
from verydeep.errors import DataError

ChannelStatistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each channel, for pixels scaled to 0 to 1."""
COUNTED_AT_ONCE = 2**22
"""Pixel values of which statistics are made at once."""


@runtime_checkable
class ImageSet(Protocol):
    """Labeled images of one size, in memory (``Images``) or on disk (``ImagesOnDisk``)."""

    @property
    def labels(self) -> Int64[Tensor, " count"]:
        """Indices into ``classes``."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of each image."""

    def __len__(self) -> int: ...

    def pixel_batches(self, batch_size: int) -> Iterator[UInt8[Tensor, "batch channels height width"]]:
        """The pixels of all images, in order."""

    def picture(self, index: int) -> UInt8[np.ndarray, "channels height width"]:
        """The pixels of one image."""

    def channel_statistics(self) -> ChannelStatistics:
        """Of the images, or of many of them."""


@dataclass(frozen=True)
class Images:
    """Pixels from 0 to 255 with one label per image; ``labels`` are indices into ``classes``.

    Raises:
        DataError: if pixels and labels differ in number, or a label is not an index of a class.
    """

    pixels: UInt8[Tensor, "count channels height width"]
    labels: Int64[Tensor, " count"]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.pixels) != len(self.labels):
            raise DataError(
                f"{len(self.pixels)} images have {len(self.labels)} labels; expected one label per image"
            )
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise DataError(
                f"labels are {int(self.labels.min())} to {int(self.labels.max())}; "
                f"expected 0 to {len(self.classes) - 1} for {len(self.classes)} classes"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of each image."""
        _, channels, height, width = self.pixels.shape
        return channels, height, width

    def pixel_batches(self, batch_size: int) -> Iterator[UInt8[Tensor, "batch channels height width"]]:
        """The pixels of all images, in order."""
        yield from self.pixels.split(batch_size)

    def picture(self, index: int) -> UInt8[np.ndarray, "channels height width"]:
        """The pixels of one image."""
        pixels: np.ndarray = self.pixels[index].numpy()
        return pixels

    def channel_statistics(self) -> ChannelStatistics:
        """Mean and standard deviation of each channel in [0, 1]."""
        return channel_statistics(self.pixels)

    def select(self, indices: Int64[Tensor, " chosen"]) -> "Images":
        """The images at ``indices``, in that order."""
        return Images(self.pixels[indices], self.labels[indices], self.classes)

    def of_classes(self, *classes: str) -> "Images":
        """The images of ``classes``, which get the labels 0, 1, 2, ... in the order given.

        Raises:
            DataError: if one of ``classes`` is not a class of these images, or none is named.
        """
        missing = [name for name in classes if name not in self.classes]
        if missing or not classes:
            wrong = f"there is no class {missing[0]!r}" if missing else "no class is named"
            raise DataError(f"{wrong}; the classes are {', '.join(self.classes)}")
        old = torch.tensor([self.classes.index(name) for name in classes], device=self.labels.device)
        chosen: Int64[Tensor, " chosen"] = torch.isin(self.labels, old).nonzero().flatten()
        labels = (self.labels[chosen][:, None] == old).int().argmax(1)
        return Images(self.pixels[chosen], labels, classes)

    def take(self, count: int) -> "Images":
        """The first ``count`` images, or all where there are fewer.

        Raises:
            DataError: if ``count`` is below 0.
        """
        if count < 0:
            raise DataError(f"cannot take {count} images; expected 0 or more")
        return Images(self.pixels[:count], self.labels[:count], self.classes)

    def resized(self, size: int) -> "Images":
        """The same images at ``size`` x ``size`` px."""
        if self.image_shape[1:] == (size, size):
            return self
        return Images(resize(self.pixels, size), self.labels, self.classes)

    def to(self, device: torch.device | str) -> "Images":
        """The same images on ``device``."""
        return Images(self.pixels.to(device), self.labels.to(device), self.classes)


@dataclass(frozen=True)
class Dataset:
    """A training set, and a test set that is used once, after training."""

    name: str
    train: Images
    test: Images
    val: Images | None = None
    """Held out of training for validation; None where nothing is held out yet."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the labels."""
        return self.train.classes

    def __post_init__(self) -> None:
        if self.train.classes != self.test.classes:
            raise DataError(
                f"{self.name}: training classes {self.train.classes} "
                f"differ from test classes {self.test.classes}"
            )

    def resized(self, size: int | None) -> "Dataset":
        """All images at ``size`` x ``size`` px; with None at their own size."""
        if size is None:
            return self
        val = None if self.val is None else self.val.resized(size)
        return Dataset(self.name, self.train.resized(size), self.test.resized(size), val)

    def of_classes(self, *classes: str) -> "Dataset":
        """The images of ``classes`` alone, as ``Images.of_classes``.

        Raises:
            DataError: if one of ``classes`` is not a class of this data set.
        """
        val = None if self.val is None else self.val.of_classes(*classes)
        name = f"{self.name}, classes {', '.join(classes)}"
        return Dataset(name, self.train.of_classes(*classes), self.test.of_classes(*classes), val)

    def take(self, train: int, test: int) -> "Dataset":
        """The first ``train`` training images and the first ``test`` test images, for a quick trial.

        ``val`` stays as it is. Class sizes are like those of all images only if the images are shuffled;
        those of the built-in data sets are.

        Raises:
            DataError: if a number is below 0.
        """
        first, tested = self.train.take(train), self.test.take(test)
        return Dataset(
            f"{self.name}, first {len(first):,} and {len(tested):,} images", first, tested, self.val
        )


def channel_statistics(
    pixels: UInt8[Tensor, "count channels height width"],
) -> ChannelStatistics:
    """Mean and standard deviation of each channel, for pixels scaled to 0 to 1."""
    counts = _value_counts(pixels).double()
    values = torch.arange(256, dtype=torch.float64)
    means = counts @ values / counts.sum(1)
    variances = (counts * (values - means[:, None]) ** 2).sum(1) / counts.sum(1)
    deviations = (variances.sqrt() / 255).clamp_min(1e-6)
    return tuple((means / 255).tolist()), tuple(deviations.tolist())


def _value_counts(pixels: UInt8[Tensor, "count channels height width"]) -> Int64[Tensor, "channels 256"]:
    """How often each channel has each value: exact, and counted in batches, which take little memory."""
    _, channels, height, width = pixels.shape
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    for batch in pixels.split(max(1, COUNTED_AT_ONCE // (channels * height * width))):
        for channel, values in enumerate(batch.cpu().unbind(1)):
            counts[channel] += values.flatten().bincount(minlength=256)
    return counts
