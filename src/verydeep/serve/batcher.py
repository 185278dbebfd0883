"""Collects single images into batches for the network, which one thread runs."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import UInt8

from verydeep.serve.served import ImagePixels

Compute = Callable[[UInt8[np.ndarray, "batch channels height width"]], Iterable[Any]]
"""A function of a batch, with one result for each image."""

_EMA = 0.2


class Late(Exception):
    """An image whose deadline passed before the network computed it."""


@dataclass(eq=False)
class Job:
    """An image for the network."""

    compute: Compute
    finish: Callable[[Any], None]
    """Called once, in some thread, with the result or an exception."""
    deadline: float
    """By ``time.monotonic``."""
    pixels: ImagePixels = field(init=False)
    """Set before the job is submitted."""
    images: int = 1
    """That the network computes for it."""
    is_batch: bool = False
    """Whether it is a batch by itself, for which no others can be collected."""
    arrived: float = field(default_factory=time.monotonic)

    @property
    def is_late(self) -> bool:
        """Whether its deadline passed."""
        return time.monotonic() > self.deadline

    def goes_with(self, other: "Job") -> bool:
        """Whether both can be in one batch."""
        return self.compute == other.compute and not (self.is_batch or other.is_batch)


class Batcher:
    """Runs the jobs that are submitted, in batches of at most ``max_batch``, in the order of arrival.

    A batch starts when it is full, when its first job has waited for ``max_wait`` seconds, or when a job that
    is a batch by itself is queued. While the network computes, jobs collect, so under load every batch is
    full and none waits.
    """

    def __init__(self, max_batch: int, max_wait: float, on_batch: Callable[[int, float], None]) -> None:
        self.max_batch, self.max_wait, self.on_batch = max_batch, max_wait, on_batch
        self.batch_seconds = 0.0
        """Seconds of a batch, as an exponential moving average."""
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._work, name="network", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether jobs are accepted."""
        return self._thread.is_alive() and not self._is_stopping

    def submit(self, job: Job) -> None:
        """Queue ``job``, which has pixels."""
        with self._changed:
            job.arrived = time.monotonic()
            self._jobs.append(job)
            self._changed.notify()

    def stop(self) -> None:
        """Run all queued jobs, then end the thread."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next_batch():
            self._run(batch)
            del batch  # its pixels are free while the thread waits

    def _next_batch(self) -> list[Job]:
        """The next jobs with one function; none when the batcher stops."""
        with self._changed:
            while not self._jobs and not self._is_stopping:
                self._changed.wait()
            if not self._jobs:
                return []
            end = self._jobs[0].arrived + self.max_wait
            while not self._is_complete() and not self._is_stopping:
                left = end - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            batch = [self._jobs.popleft()]
            while self._jobs and len(batch) < self.max_batch and batch[0].goes_with(self._jobs[0]):
                batch.append(self._jobs.popleft())
            return batch

    def _is_complete(self) -> bool:
        """Whether the next batch can get no more jobs."""
        return len(self._jobs) >= self.max_batch or any(job.is_batch for job in self._jobs)

    def _run(self, batch: list[Job]) -> None:
        jobs = []
        for job in batch:
            if job.is_late:
                job.finish(Late())
            else:
                jobs.append(job)
        if not jobs:
            return
        start = time.monotonic()
        results: list[Any]
        try:
            results = list(jobs[0].compute(np.stack([job.pixels for job in jobs])))
        except Exception as error:  # one batch fails, the server goes on
            results = [error] * len(jobs)
        seconds = time.monotonic() - start
        self.batch_seconds += (_EMA if self.batch_seconds else 1.0) * (seconds - self.batch_seconds)
        self.on_batch(sum(job.images for job in jobs), seconds)
        for job, result in zip(jobs, results, strict=True):
            job.finish(result)
