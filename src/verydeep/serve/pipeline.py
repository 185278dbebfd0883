"""From the bytes of images to results: decoding in threads, then the network in batches."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from verydeep.serve.problems import busy

MAX_DECODERS = 4
"""Each holds the pixels of one image: up to 200 MB at the limit of pixels."""
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
        self._decoders = ThreadPoolExecutor(min(usable_cores(), MAX_DECODERS), "decode")
        self._batcher = Batcher(limits.max_batch, limits.max_wait_ms / 1e3, metrics.count_batch)

    @property
    def is_ready(self) -> bool:
        """Whether a request would be accepted."""
        return self._batcher.is_running and self.waiting < self.limits.max_queue

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
        self.waiting += len(images)
        loop = asyncio.get_running_loop()
        deadline = time.monotonic() + self.limits.deadline_seconds
        futures = []
        for content in images:
            future: asyncio.Future[Any] = loop.create_future()
            self._decoders.submit(self._prepare, content, Job(compute, self._finisher(future), deadline))
            futures.append(future)
        try:
            async with asyncio.timeout(self.limits.deadline_seconds):
                results = await asyncio.gather(*futures)
        except TimeoutError:
            results = [Late()]
        for result in results:
            if isinstance(result, Late):
                raise busy(f"there was no result in {self.limits.deadline_seconds:g} s. Try again later", 5)
            if isinstance(result, Exception) and not isinstance(result, UnreadableError):
                raise result
        return results

    def _finisher(self, future: asyncio.Future[Any]) -> Callable[[Any], None]:
        def finish(result: Any) -> None:
            future.get_loop().call_soon_threadsafe(self._finish, future, result)

        return finish

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
        self.waiting -= 1
        self._finished += 1
        if not future.done():  # the request may have given up
            future.set_result(result)
