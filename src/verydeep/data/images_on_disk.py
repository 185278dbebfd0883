"""Labeled images that stay on disk, and are decoded whenever they are needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.images import ChannelStatistics
from verydeep.decoding.crop import Crop, DecodedCrop, Decoder
from verydeep.decoding.processes import DecodingProcesses
from verydeep.decoding.stream import read_ahead
from verydeep.decoding.work import Unreadable, decode_image
from verydeep.errors import DataError, UnreadableError
from verydeep.image_sources.image_source import ImageSource, UnreadableImage

STATISTICS_IMAGES = 10_000
"""Of how many images mean and standard deviation are computed: beyond it they do not change."""
BATCH = 64
"""Images that are decoded at a time, where nothing else decides it."""


@dataclass(frozen=True, kw_only=True)
class ImagesOnDisk:
    """Images at the input size of ``preprocess``, with one label each: indices into ``classes``.

    In place of an image that cannot be read stands the next one of its class that can, so that the number of
    images does not depend on what is found out while training.
    """

    sources: Sequence[ImageSource]
    labels: Int64[Tensor, " count"]
    classes: tuple[str, ...]
    preprocess: Preprocess
    decoder: Decoder = "pillow"
    """What decodes random crops; whole images are decoded by Pillow, as for evaluation."""
    location: str = "FOLDER"
    """Where the images are, for messages."""
    unreadable: dict[int, UnreadableImage] = field(default_factory=dict)
    """The images that could not be read so far, by index."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of each image."""
        return self.preprocess.channels, self.preprocess.size, self.preprocess.size

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int, crop: Crop | None = None) -> DecodedCrop:
        """The pixels of an image: whole, or cropped as ``decode_crop`` does it.

        Raises:
            DataError: where no image of its class can be read.
        """
        while True:
            chosen = self._readable(index)
            try:
                return decode_image(self.sources[chosen], crop, self.preprocess, self.decoder)
            except UnreadableError as error:
                self.unreadable[chosen] = UnreadableImage.from_error(self.sources[chosen], error)

    def read_all(
        self,
        items: Sequence[tuple[int, Crop | None]],
        pixels: UInt8[np.ndarray, "images channels size size"],
        processes: DecodingProcesses | None = None,
    ) -> list[bool]:
        """Fill ``pixels`` with the images of ``items``, as ``read`` gives them: whether each one is cropped.

        With ``processes``, one of them decodes what can be read, and the pixels are the same.

        Raises:
            DataError: where no image of a class can be read, or the process has ended.
        """
        if processes is None:
            return [self._read_into(row, *item) for row, item in zip(pixels, items, strict=True)]
        chosen = [self._readable(index) for index, _ in items]
        sources = [self.sources[index] for index in chosen]
        crops = [crop for _, crop in items]
        outcomes = processes.decode(list(zip(sources, crops, strict=True)), pixels)
        for index, source, outcome in zip(chosen, sources, outcomes, strict=True):
            if isinstance(outcome, Unreadable):
                self.unreadable[index] = UnreadableImage(source, *outcome)
        return [
            self._read_into(row, *item) if isinstance(outcome, Unreadable) else outcome
            for row, item, outcome in zip(pixels, items, outcomes, strict=True)
        ]

    def _read_into(self, row: UInt8[np.ndarray, "channels size size"], index: int, crop: Crop | None) -> bool:
        row[...], is_cropped = self.read(index, crop)
        return is_cropped

    def _readable(self, index: int) -> int:
        """``index``, or in its place the next image of its class that is not known to be unreadable.

        Raises:
            DataError: where there is none.
        """
        for candidate in self._of_same_class(index):
            if candidate not in self.unreadable:
                return candidate
        name = self.classes[int(self.labels[index])]
        raise DataError(f"no image of the class {name} can be read: {self.unreadable[index].reason}")

    def _of_same_class(self, index: int) -> Iterator[int]:
        """``index``, then the images of its class after it and before it."""
        yield index
        same = self._by_class[int(self.labels[index])]
        position = int(torch.searchsorted(same, index))
        yield from same[position + 1 :].tolist()
        yield from same[:position].tolist()

    @cached_property
    def _by_class(self) -> tuple[Int64[Tensor, " of_class"], ...]:
        """The indices of the images of each class, in order."""
        sizes: list[int] = self.labels.bincount(minlength=len(self.classes)).tolist()
        return torch.split(self.labels.argsort(stable=True), sizes)

    def pixel_batches(self, batch_size: int) -> Iterator[UInt8[Tensor, "batch channels size size"]]:
        """The pixels of all images, in order, decoded in threads a few batches ahead."""
        indices = range(len(self))
        batches = (indices[start : start + batch_size] for start in range(0, len(self), batch_size))
        for results in read_ahead(batches, self.read, None):
            yield torch.from_numpy(np.stack([each.pixels for each in results]))

    def picture(self, index: int) -> UInt8[np.ndarray, "channels size size"]:
        """The pixels of one image."""
        return self.read(index).pixels

    def channel_statistics(self) -> ChannelStatistics:
        """Mean and standard deviation of each channel in [0, 1], of at most 10,000 evenly spaced images."""
        step = -(-len(self) // STATISTICS_IMAGES)
        indices = range(0, len(self), step)
        batches = (indices[start : start + BATCH] for start in range(0, len(indices), BATCH))
        count, (total, squares) = 0, np.zeros((2, self.preprocess.channels), dtype=np.int64)
        for results in read_ahead(batches, self.read, None):
            values = np.stack([each.pixels for each in results]).transpose(1, 0, 2, 3).astype(np.int64)
            values = values.reshape(len(values), -1)
            count, total = count + values.shape[1], total + values.sum(1)  # whole numbers: exact in any order
            squares = squares + (values**2).sum(1)
        means = total / count
        deviations = np.sqrt(np.maximum(squares / count - means**2, 0))
        return tuple((means / 255).tolist()), tuple(np.maximum(deviations / 255, 1e-6).tolist())


@dataclass(frozen=True)
class DatasetOnDisk:
    """As ``Dataset``, of images that stay on disk."""

    name: str
    train: ImagesOnDisk
    test: ImagesOnDisk
    val: ImagesOnDisk | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the labels."""
        return self.train.classes
