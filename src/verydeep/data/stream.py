"""Images as tensors, decoded in threads while the network computes; ``decoding/stream.py`` says how."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.decode import decode_whole
from verydeep.data.images import Images
from verydeep.decoding.stream import decode_ahead, stream_pixels, unreadable_of
from verydeep.errors import DataError
from verydeep.image_sources.image_source import ImageSource, UnreadableImage
from verydeep.image_sources.samples import Samples


class DecodedBatch(NamedTuple):
    """A batch of decoded images, all of the input size."""

    indices: Int64[Tensor, " read"]
    """The index of each image in the requested sources, ascending."""
    pixels: UInt8[Tensor, "read channels size size"]
    broken: tuple[UnreadableImage, ...]
    """The images of the batch that cannot be read."""


class WholeBatch(NamedTuple):
    """A batch of decoded images that are not cropped, so of any shape, at one or more short sides."""

    indices: Int64[Tensor, " read"]
    """The index of each image in the requested sources, ascending."""
    images: tuple[tuple[UInt8[Tensor, "channels height width"], ...], ...]
    """For each image, one tensor per short side."""
    broken: tuple[UnreadableImage, ...]
    """The images of the batch that cannot be read."""


def stream(
    sources: Sequence[ImageSource], preprocess: Preprocess, batch_size: int, *, workers: int | None = None
) -> Iterator[DecodedBatch]:
    """The batches of ``stream_pixels`` as tensors."""
    for batch in stream_pixels(sources, preprocess, batch_size, workers=workers):
        yield DecodedBatch(torch.from_numpy(batch.indices), torch.from_numpy(batch.pixels), batch.broken)


def stream_whole(
    sources: Sequence[ImageSource],
    channels: int,
    short_sides: Sequence[int],
    batch_size: int,
    *,
    workers: int | None = None,
) -> Iterator[WholeBatch]:
    """As ``stream``, but images are not cropped, and each is resized to every one of ``short_sides``."""
    read = partial(decode_whole, channels=channels, short_sides=short_sides)
    for start, results in decode_ahead(sources, read, batch_size, workers):
        images = {
            start + i: result for i, result in enumerate(results) if not isinstance(result, UnreadableImage)
        }
        indices = torch.tensor(list(images), dtype=torch.int64)
        yield WholeBatch(indices, tuple(images.values()), unreadable_of(results))


def unreadable_images(sources: Sequence[ImageSource], preprocess: Preprocess) -> tuple[UnreadableImage, ...]:
    """Those of ``sources`` that cannot be read; each is decoded, and none is kept."""
    batches = stream_pixels(sources, preprocess, 64)
    return tuple(each for batch in batches for each in batch.broken)


def decode_all(samples: Samples, preprocess: Preprocess) -> tuple[Images, tuple[UnreadableImage, ...]]:
    """All readable images of ``samples`` in memory, and the unreadable ones.

    Raises:
        DataError: if none can be read.
    """
    images, broken = decode_readable(samples, preprocess)
    require_readable(samples, broken)
    return images, broken


def require_readable(samples: Samples, broken: Sequence[UnreadableImage]) -> None:
    """Refuse images of which none can be read.

    Raises:
        DataError: with the first reason.
    """
    if broken and len(broken) == len(samples):
        raise DataError(
            f"none of the {len(samples)} images of {samples.name} can be read: {broken[0].reason}"
        )


def decode_readable(samples: Samples, preprocess: Preprocess) -> tuple[Images, tuple[UnreadableImage, ...]]:
    """The images of ``samples`` that can be read, in memory, and the others."""
    shape = (len(samples), preprocess.channels, preprocess.size, preprocess.size)
    pixels, indices = torch.empty(shape, dtype=torch.uint8), torch.empty(len(samples), dtype=torch.int64)
    broken: list[UnreadableImage] = []
    read = 0
    for batch in stream(samples.sources, preprocess, 64):
        filled = slice(read, read := read + len(batch.indices))
        pixels[filled], indices[filled] = batch.pixels, batch.indices
        broken += batch.broken
    labels = torch.from_numpy(samples.labels)[indices[:read]]
    return Images(pixels[:read], labels, samples.classes), tuple(broken)
