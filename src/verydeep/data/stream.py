"""Decoding while the network computes: batches of pixels in order, a few ahead, in constant memory."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.decode import decode, decode_whole
from verydeep.data.images import Images
from verydeep.data.samples import ImageSource, Samples
from verydeep.errors import DataError

T = TypeVar("T")

BATCHES_AHEAD = 2
"""Of decoded pixels that wait for the network."""


@dataclass(frozen=True)
class Broken:
    """An image that cannot be read, and why."""

    source: ImageSource
    why: str

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {"file": str(self.source), "error": self.why}


class Decoded(NamedTuple):
    """Images that were read together."""

    indices: Int64[Tensor, " read"]
    """The place of each in what was asked for, ascending."""
    pixels: UInt8[Tensor, "read channels size size"]
    broken: tuple[Broken, ...]
    """Those of the batch that could not be read."""


class Whole(NamedTuple):
    """Images that were read together, whole and so of any shape, with short sides that were asked for."""

    indices: Int64[Tensor, " read"]
    """The place of each in what was asked for, ascending."""
    images: tuple[tuple[UInt8[Tensor, "channels height width"], ...], ...]
    """Of each image, one a short side."""
    broken: tuple[Broken, ...]
    """Those of the batch that could not be read."""


def stream(
    sources: Sequence[ImageSource], preprocess: Preprocess, batch_size: int, *, workers: int | None = None
) -> Iterator[Decoded]:
    """Every image of ``sources``, ``batch_size`` at a time, in order; what is broken is named.

    Images are decoded by threads, since Pillow lets go of the interpreter while it decodes and resizes, and
    never more than ``BATCHES_AHEAD`` batches further than the caller has come.

    Args:
        sources: files, or entries of shards.
        preprocess: what to decode for.
        batch_size: images a batch.
        workers: threads that decode; the number of processors by default.
    """
    for start, results in _ahead(sources, partial(decode, preprocess=preprocess), batch_size, workers):
        yield _together(start, results, preprocess)


def stream_whole(
    sources: Sequence[ImageSource],
    channels: int,
    short_sides: Sequence[int],
    batch_size: int,
    *,
    workers: int | None = None,
) -> Iterator[Whole]:
    """As ``stream``, but every image whole, once with each of ``short_sides``."""
    read = partial(decode_whole, channels=channels, short_sides=short_sides)
    for start, results in _ahead(sources, read, batch_size, workers):
        images = {start + i: result for i, result in enumerate(results) if not isinstance(result, Broken)}
        broken = tuple(result for result in results if isinstance(result, Broken))
        yield Whole(torch.tensor(list(images), dtype=torch.int64), tuple(images.values()), broken)


def _ahead(
    sources: Sequence[ImageSource], read: Callable[[ImageSource], T], batch_size: int, workers: int | None
) -> Iterator[tuple[int, list[T | Broken]]]:
    """What ``read`` makes of each of ``sources``: the place of the first of a batch, and the batch."""
    starts = iter(range(0, len(sources), batch_size))
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:

        def submit(start: int) -> tuple[int, list[Future[T | Broken]]]:
            chunk = sources[start : start + batch_size]
            return start, [pool.submit(_read, source, read) for source in chunk]

        ahead = deque(map(submit, islice(starts, BATCHES_AHEAD)))
        try:
            while ahead:
                start, futures = ahead.popleft()
                results = [future.result() for future in futures]
                ahead.extend(map(submit, islice(starts, 1)))
                yield start, results
        finally:
            pool.shutdown(cancel_futures=True)


def _read(source: ImageSource, read: Callable[[ImageSource], T]) -> T | Broken:
    try:
        return read(source)
    except DataError as error:
        return Broken(source, str(error))


def _together(start: int, results: list[Tensor | Broken], preprocess: Preprocess) -> Decoded:
    read = {start + i: result for i, result in enumerate(results) if isinstance(result, Tensor)}
    empty = torch.zeros(0, preprocess.channels, preprocess.size, preprocess.size, dtype=torch.uint8)
    return Decoded(
        torch.tensor(list(read), dtype=torch.int64),
        torch.stack(list(read.values())) if read else empty,
        tuple(result for result in results if isinstance(result, Broken)),
    )


def decode_all(samples: Samples, preprocess: Preprocess) -> tuple[Images, tuple[Broken, ...]]:
    """Every image of ``samples`` that can be read, in memory, and those that cannot.

    Raises:
        DataError: where none can be read.
    """
    batches = list(stream(samples.sources, preprocess, 64))
    broken = tuple(each for batch in batches for each in batch.broken)
    if len(broken) == len(samples):
        raise DataError(f"none of the {len(samples)} images of {samples.name} can be read: {broken[0].why}")
    kept = torch.cat([batch.indices for batch in batches])
    pixels = torch.cat([batch.pixels for batch in batches])
    return Images(pixels, samples.labels[kept], samples.classes), broken
