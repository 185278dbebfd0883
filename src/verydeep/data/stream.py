"""Decodes images in threads while the network computes: batches in order, a few ahead, in constant memory."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.decode import decode, decode_whole
from verydeep.data.images import Images
from verydeep.errors import DataError, UnreadableError
from verydeep.image_sources.samples import ImageSource, Samples, UnreadableImage
from verydeep.malloc import return_freed_memory

T = TypeVar("T")

BATCHES_AHEAD = 2
"""The number of decoded batches that wait for the network."""


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
    """The images of ``sources`` in order, in batches of ``batch_size``; unreadable images are reported.

    Images are decoded in threads, because Pillow releases the interpreter lock while it decodes and resizes.
    At most ``BATCHES_AHEAD`` batches are decoded before the caller needs them.

    Args:
        sources: files, or entries of shards.
        preprocess: the preprocessing of the network.
        batch_size: images per batch.
        workers: decoding threads; the number of processors by default.
    """
    for start, results in _decode_ahead(sources, partial(decode, preprocess=preprocess), batch_size, workers):
        yield _stack(start, results, preprocess)


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
    for start, results in _decode_ahead(sources, read, batch_size, workers):
        images = {
            start + i: result for i, result in enumerate(results) if not isinstance(result, UnreadableImage)
        }
        indices = torch.tensor(list(images), dtype=torch.int64)
        yield WholeBatch(indices, tuple(images.values()), _unreadable(results))


def _decode_ahead(
    sources: Sequence[ImageSource], read: Callable[[ImageSource], T], batch_size: int, workers: int | None
) -> Iterator[tuple[int, list[T | UnreadableImage]]]:
    """The results of ``read`` for each batch of ``sources``, with the index of the batch's first image."""
    starts = iter(range(0, len(sources), batch_size))
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:

        def submit(start: int) -> tuple[int, list[Future[T | UnreadableImage]]]:
            chunk = sources[start : start + batch_size]
            return start, [pool.submit(_read, source, read) for source in chunk]

        ahead = deque(map(submit, islice(starts, BATCHES_AHEAD)))
        try:
            while ahead:
                start, futures = ahead.popleft()
                results = [future.result() for future in futures]
                ahead.extend(map(submit, islice(starts, 1)))
                yield start, results
                return_freed_memory()
        finally:
            pool.shutdown(cancel_futures=True)


def _read(source: ImageSource, read: Callable[[ImageSource], T]) -> T | UnreadableImage:
    try:
        return read(source)
    except UnreadableError as error:
        return UnreadableImage.from_error(source, error)


def _stack(start: int, results: list[Tensor | UnreadableImage], preprocess: Preprocess) -> DecodedBatch:
    read = {start + i: result for i, result in enumerate(results) if isinstance(result, Tensor)}
    empty = torch.zeros(0, preprocess.channels, preprocess.size, preprocess.size, dtype=torch.uint8)
    return DecodedBatch(
        torch.tensor(list(read), dtype=torch.int64),
        torch.stack(list(read.values())) if read else empty,
        _unreadable(results),
    )


def _unreadable(results: Sequence[object]) -> tuple[UnreadableImage, ...]:
    return tuple(result for result in results if isinstance(result, UnreadableImage))


def decode_all(samples: Samples, preprocess: Preprocess) -> tuple[Images, tuple[UnreadableImage, ...]]:
    """All readable images of ``samples`` in memory, and the unreadable ones.

    Raises:
        DataError: if none can be read.
    """
    batches = list(stream(samples.sources, preprocess, 64))
    broken = tuple(each for batch in batches for each in batch.broken)
    if len(broken) == len(samples):
        raise DataError(
            f"none of the {len(samples)} images of {samples.name} can be read: {broken[0].reason}"
        )
    read = torch.cat([batch.indices for batch in batches])
    pixels = torch.cat([batch.pixels for batch in batches])
    return Images(pixels, samples.labels[read], samples.classes), broken
