"""Some images of a compression, all of the input size of a network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.normalize import fit_to_input
from verydeep.data.stream import DecodedBatch, stream
from verydeep.errors import DataError
from verydeep.image_sources.image_source import ImageSource, UnreadableImage

DECODED_AT_A_TIME = 64


@dataclass(frozen=True)
class ImagePart:
    """The images that calibrate, those that decide, or the test images, with labels where they are known."""

    pixels: UInt8[Tensor, "count channels size size"]
    """From 0 to 255, not normalized."""
    labels: Int64[Tensor, " count"] | None
    """Indices of the network's classes."""
    groups: tuple[str, ...] | None = None
    """The images of a group are alike."""
    sources: tuple[ImageSource, ...] | None = None
    """Where the images are read; None where only their pixels are known."""

    def __len__(self) -> int:
        return len(self.pixels)

    def at_input_of(self, preprocess: Preprocess) -> "ImagePart":
        """The same images as a network with this preprocessing takes them, which may have another size.

        Only the size may differ.

        Raises:
            DataError: where one cannot be read a second time.
        """
        if preprocess.size == self.pixels.shape[2]:
            return self
        if self.sources is None:
            return replace(self, pixels=fit_to_input(self.pixels, preprocess))
        read = decode_all(self.sources, preprocess)
        if read.broken:
            raise DataError(f"{read.broken[0].reason}; it could be read before. Run the same command again")
        return replace(self, pixels=read.pixels)


def spread(count: int, chosen: int) -> Int64[Tensor, " chosen"]:
    """The indices of at most ``chosen`` of ``count`` images, at equal distances."""
    return torch.linspace(0, count - 1, min(count, chosen)).round().long()


def read_part(
    sources: Sequence[ImageSource],
    preprocess: Preprocess,
    labels: Int64[Tensor, " count"] | None = None,
    groups: tuple[str, ...] | None = None,
) -> tuple[ImagePart, tuple[UnreadableImage, ...]]:
    """The images of ``sources`` that can be read, and those that cannot."""
    read = decode_all(sources, preprocess)
    kept = read.indices.tolist()
    images = ImagePart(
        read.pixels,
        None if labels is None else labels[read.indices],
        None if groups is None else tuple(groups[i] for i in kept),
        tuple(sources[i] for i in kept),
    )
    return images, read.broken


def decode_all(sources: Sequence[ImageSource], preprocess: Preprocess) -> DecodedBatch:
    """All images that can be read, in one batch."""
    empty = torch.zeros(0, preprocess.channels, preprocess.size, preprocess.size, dtype=torch.uint8)
    batches = [
        DecodedBatch(torch.zeros(0, dtype=torch.int64), empty, ()),
        *stream(sources, preprocess, DECODED_AT_A_TIME),
    ]
    indices, pixels, broken = zip(*batches, strict=True)
    return DecodedBatch(torch.cat(indices), torch.cat(pixels), tuple(chain(*broken)))
