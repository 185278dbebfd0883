"""Decodes images in threads while the network computes: batches in order, a few ahead, in constant memory.

Small files are decoded between two batches instead, by the thread of the network.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import chain, islice
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Int64, UInt8

from verydeep.architecture.preprocess import Preprocess
from verydeep.decoding.cores import cores_of_rank
from verydeep.decoding.decode import decode_pixels
from verydeep.errors import UnreadableError
from verydeep.image_sources.image_source import ImageSource, UnreadableImage
from verydeep.malloc import BETWEEN_BATCHES, return_freed_memory

S = TypeVar("S")
T = TypeVar("T")

BATCHES_AHEAD = 2
"""The number of decoded batches that wait for the network."""
MOST_IN_A_TASK = 16
"""The items of a large batch that a thread takes at once: a small PNG is decoded in less than 0.1 ms, and a
task of its own takes a fifth of that."""

SMALL_S = 2e-4
"""A file that is decoded in less time is small: threads would wait for each other at the interpreter lock,
and two of them take three times as long as one (docs/log.md)."""
SPARE_S = 0.01
"""What small files may take beyond it, all in all, such as for a module that the first one imports."""
BATCHES_IN_THREADS = 32
"""After so many batches it is tried again whether files are small."""


class PixelBatch(NamedTuple):
    """A batch of decoded images, all of the input size, as arrays."""

    indices: Int64[np.ndarray, " read"]
    """The index of each image in the requested sources, ascending."""
    pixels: UInt8[np.ndarray, "read channels size size"]
    broken: tuple[UnreadableImage, ...]
    """The images of the batch that cannot be read."""


def stream_pixels(
    sources: Sequence[ImageSource], preprocess: Preprocess, batch_size: int, *, workers: int | None = None
) -> Iterator[PixelBatch]:
    """The images of ``sources`` in order, in batches of ``batch_size``; unreadable images are reported.

    All but small files are decoded in threads, because Pillow releases the interpreter lock while it decodes
    and resizes; at most ``BATCHES_AHEAD`` batches are decoded before the caller needs them.

    Args:
        sources: files, or entries of shards.
        preprocess: the preprocessing of the network.
        batch_size: images per batch.
        workers: threads that decode large files; by default one per core, shared with the other processes
            that torchrun has started on this host.
    """
    read = partial(decode_pixels, preprocess=preprocess)
    for start, results in decode_ahead(sources, read, batch_size, workers):
        yield _stack(start, results, preprocess)


def decode_ahead(
    sources: Sequence[ImageSource], read: Callable[[ImageSource], T], batch_size: int, workers: int | None
) -> Iterator[tuple[int, list[T | UnreadableImage]]]:
    """The results of ``read`` for each batch of ``sources``, with the index of the batch's first image."""
    starts = range(0, len(sources), batch_size)
    chunks = (sources[start : start + batch_size] for start in starts)
    with closing(_read_small_or_ahead(chunks, partial(_read, read=read), workers)) as results:
        for start in starts:
            yield start, next(results)
            return_freed_memory(BETWEEN_BATCHES)
    return_freed_memory()


def _read_small_or_ahead(
    batches: Iterable[Sequence[S]], read: Callable[[S], T], workers: int | None
) -> Generator[list[T], None, None]:
    """The results of ``read`` as by ``read_ahead``; while files are small, without threads."""
    waiting = iter(batches)
    while begun := (yield from _read_while_small(waiting, read)):
        batches_in_threads = chain([begun.rest], islice(waiting, BATCHES_IN_THREADS))
        with closing(read_ahead(batches_in_threads, read, workers)) as results:
            yield begun.results + next(results)
            yield from results


class _BegunBatch(NamedTuple, Generic[S, T]):
    """A batch whose files are not small after all."""

    results: list[T]
    """Of the first files."""
    rest: Sequence[S]


def _read_while_small(
    waiting: Iterator[Sequence[S]], read: Callable[[S], T]
) -> Generator[list[T], None, _BegunBatch[S, T] | None]:
    """The results of whole batches of small files; the first batch of others is returned."""
    spare = SPARE_S
    for batch in waiting:
        results: list[T] = []
        for item in batch:
            began = time.perf_counter()
            results.append(read(item))
            spare = min(SPARE_S, spare + SMALL_S - (time.perf_counter() - began))
            if spare < 0:
                return _BegunBatch(results, batch[len(results) :])
        yield results
    return None


def read_ahead(
    batches: Iterable[Sequence[S]], read: Callable[[S], T], workers: int | None
) -> Generator[list[T], None, None]:
    """The results of ``read`` for each item of each batch, in order, computed in threads.

    At most ``BATCHES_AHEAD`` batches are computed before the caller needs them.
    """
    waiting = iter(batches)
    threads = workers or cores_of_rank()
    with ThreadPoolExecutor(threads) as pool:

        def submit(batch: Sequence[S]) -> list[Future[list[T]]]:
            size = max(1, min(MOST_IN_A_TASK, len(batch) // (4 * threads)))
            return [pool.submit(_read_all, read, batch[at : at + size]) for at in range(0, len(batch), size)]

        ahead = deque(map(submit, islice(waiting, BATCHES_AHEAD)))
        try:
            while ahead:
                results = [result for future in ahead.popleft() for result in future.result()]
                ahead.extend(map(submit, islice(waiting, 1)))
                yield results
        finally:
            pool.shutdown(cancel_futures=True)


def _read_all(read: Callable[[S], T], items: Sequence[S]) -> list[T]:
    return [read(item) for item in items]


def _read(source: ImageSource, read: Callable[[ImageSource], T]) -> T | UnreadableImage:
    try:
        return read(source)
    except UnreadableError as error:
        return UnreadableImage.from_error(source, error)


def _stack(
    start: int,
    results: list[UInt8[np.ndarray, "channels size size"] | UnreadableImage],
    preprocess: Preprocess,
) -> PixelBatch:
    read = {start + i: result for i, result in enumerate(results) if not isinstance(result, UnreadableImage)}
    empty = np.zeros((0, preprocess.channels, preprocess.size, preprocess.size), dtype=np.uint8)
    return PixelBatch(
        np.array(list(read), dtype=np.int64),
        np.stack(list(read.values())) if read else empty,
        unreadable_of(results),
    )


def unreadable_of(results: Sequence[object]) -> tuple[UnreadableImage, ...]:
    """The images among ``results`` that cannot be read."""
    return tuple(result for result in results if isinstance(result, UnreadableImage))
