"""From the bytes of images to results: decoding in threads, then the network in batches."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from verydeep.architecture.preprocess import Preprocess
from verydeep.decoding.decode import decode_pixels
from verydeep.errors import UnreadableError
from verydeep.machine import usable_cores
from verydeep.malloc import return_freed_memory
from verydeep.serve.batcher import Batcher, Compute, Job, Late
from verydeep.serve.image_format import check_format
from verydeep.serve.limits import Limits
from verydeep.serve.metrics import Metrics
from verydeep.serve.problems import Problem, busy
from verydeep.serve.served import ImagePixels

MAX_DECODERS = 4
"""Of all processes together; each holds the pixels of one image: up to 200 MB at the limit of pixels."""
TRIM_SECONDS = 2.0
"""How often freed memory is given back: that takes milliseconds."""


class Pipeline:
    """Decodes images and computes functions of them; at most ``max_queue`` images are in it."""

    def __init__(self, preprocess: Preprocess, limits: Limits, metrics: Metrics) -> None:
        self.limits, self.metrics = limits, metrics
        self.waiting = 0
        """Images that are accepted and not finished; changed on the event loop only."""
        self._finished = 0
        """Images since the start; changed on the event loop only."""
        self._decode = partial(decode_pixels, preprocess=preprocess, pixel_limit=limits.max_pixels)
        decoders = max(1, min(usable_cores(), MAX_DECODERS) // metrics.processes)
        self._decoders = ThreadPoolExecutor(decoders, "decode")
        self._batcher = Batcher(limits.max_batch, limits.max_wait_ms / 1e3, metrics.count_batch)

    def check_ready(self) -> None:
        """Refuse where a process of the server has not loaded the network, or the queue of this one is full.

        While another process is being replaced, this one is not ready either, although it answers: the kernel
        may give the next connection to the other.

        Raises:
            Problem: 503 with Retry-After.
        """
        if not self._batcher.is_running:
            raise busy("the network does not run: the server stops, or has failed. Try again later", 5)
        ready, processes = self.metrics.ready_processes, self.metrics.processes
        if ready < processes:
            raise busy(f"{ready} of {processes} processes are ready. Try again later", 1)
        self.check_room()

    def check_room(self, images: int = 1) -> None:
        """Refuse, at once, what the queue has no room for.

        Raises:
            Problem: 503 with Retry-After.
        """
        if self.waiting + images > self.limits.max_queue:
            batches = self.waiting / self.limits.max_batch
            seconds = min(60, max(1, math.ceil(batches * self._batcher.batch_seconds)))
            raise busy(f"the queue is full: {self.waiting:,} images are waiting. Try again later", seconds)

    async def run(self, images: Sequence[bytes], compute: Compute) -> list[Any]:
        """For each image the result of ``compute``, or an UnreadableError.

        Raises:
            Problem: 503 if the queue is full, or if the deadline passes.
        """
        self.check_room(len(images))
        self._add_waiting(len(images))
        loop = asyncio.get_running_loop()
        futures = []
        for content in images:
            future: asyncio.Future[Any] = loop.create_future()
            self._decoders.submit(self._prepare, content, self._job(compute, partial(self._finish, future)))
            futures.append(future)
        async with self.deadline():
            results = await asyncio.gather(*futures)
        for result in results:
            if not isinstance(result, UnreadableError):
                self._raise_if_failed(result)
        return results

    async def compute(self, pixels: ImagePixels, compute: Compute, images: int) -> Any:
        """The result of ``compute`` for a decoded image, as a batch of ``images`` after those queued now.

        Raises:
            Problem: 503 if the deadline passes.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        job = self._job(compute, partial(_set_result, future))
        job.pixels, job.images, job.is_batch = pixels, images, True
        self._batcher.submit(job)
        return self._raise_if_failed(await future)

    @asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """A block that ends when the time for an answer is over.

        Raises:
            Problem: 503 if it is over.
        """
        try:
            async with asyncio.timeout(self.limits.deadline_seconds):
                yield
        except TimeoutError:
            raise self._late() from None

    @contextmanager
    def occupied(self, images: int) -> Iterator[None]:
        """A block in which decoded images still have a place in the queue."""
        self._add_waiting(images)
        try:
            yield
        finally:
            self._add_waiting(-images)

    def _job(self, compute: Compute, finish: Callable[[Any], None]) -> Job:
        """A job that calls ``finish`` on the event loop."""
        loop = asyncio.get_running_loop()

        def finish_on_loop(result: Any) -> None:
            loop.call_soon_threadsafe(finish, result)

        return Job(compute, finish_on_loop, time.monotonic() + self.limits.deadline_seconds)

    def _raise_if_failed(self, result: Any) -> Any:
        if isinstance(result, Late):
            raise self._late()
        if isinstance(result, Exception):
            raise result
        return result

    def _late(self) -> Problem:
        return busy(f"there was no result in {self.limits.deadline_seconds:g} s. Try again later", 5)

    async def return_memory(self) -> None:
        """Give freed memory back to the kernel now and then, until the task is canceled.

        Also after the last image: an idle server would otherwise keep the memory of its largest images.
        """
        while True:
            finished = self._finished
            await asyncio.sleep(TRIM_SECONDS)
            if self._finished != finished:
                await asyncio.to_thread(return_freed_memory)

    def stop(self) -> None:
        """Finish what was accepted, then end the threads."""
        self._decoders.shutdown()
        self._batcher.stop()

    def _prepare(self, content: bytes, job: Job) -> None:
        """Decode ``content`` in one of the threads, and queue it for the network."""
        if job.is_late:
            job.finish(Late())
            return
        try:
            check_format(content)
            job.pixels = self._decode(content)
        except Exception as error:  # an UnreadableError, or a fault of ours that the request reports
            job.finish(error)
        else:
            self._batcher.submit(job)

    def _finish(self, future: asyncio.Future[Any], result: Any) -> None:
        self._add_waiting(-1)
        self._finished += 1
        _set_result(future, result)

    def _add_waiting(self, images: int) -> None:
        self.waiting += images
        self.metrics.set_queue(self.waiting)


def _set_result(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():  # the request may have given up
        future.set_result(result)
