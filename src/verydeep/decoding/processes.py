"""Decodes images in processes: in threads of one process, Python's lock is the limit beyond a few cores.

A process gets the sources of a few images, writes their pixels to memory that it shares with this process,
and answers how it went. It knows nothing of the data set, so that its memory does not depend on the number
of images. It is a new program (``worker.py``) and no copy of this process, which may use a GPU.
"""

import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing import Pipe
from queue import SimpleQueue
from types import TracebackType

import numpy as np
from jaxtyping import UInt8

from verydeep.architecture.preprocess import Preprocess
from verydeep.decoding.crop import Decoder
from verydeep.decoding.work import Item, Outcome, Work
from verydeep.decoding.worker import FIRST
from verydeep.errors import DataError

_NEXT_STEP = "The same command goes on from the last state that was saved"
SECONDS_TO_END = 5
"""A process that has not ended by itself after these is killed."""


def are_available() -> bool:
    """Whether this system has what the processes need: anonymous files in memory, as Linux has them."""
    return hasattr(os, "memfd_create") and bool(sys.executable)


class DecodingProcesses:
    """``count`` processes that decode images, started when the first image is to be decoded.

    They end with the ``with`` block, and also when this process is killed.
    """

    def __init__(self, count: int, preprocess: Preprocess, decoder: Decoder) -> None:
        self.count = count
        self._work = Work(preprocess, decoder)
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._workers: list[_Worker] = []

    def __enter__(self) -> "DecodingProcesses":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.hang_up()
        for worker in self._workers:
            worker.wait()
        self._workers.clear()

    def start(self) -> None:
        """Start the processes, where they do not run yet."""
        while len(self._workers) < self.count:
            worker = _Worker(self._work, logs=not self._workers)
            self._workers.append(worker)
            self._idle.put(worker)

    def decode(
        self, items: Sequence[Item], pixels: UInt8[np.ndarray, "images channels size size"]
    ) -> list[Outcome]:
        """Fill ``pixels`` with the images of ``items``, at most ``IMAGES_AT_A_TIME``, in one process.

        It may be called in as many threads as there are processes, after ``start``.

        Raises:
            DataError: where the process has ended.
        """
        worker = self._idle.get()
        try:
            return worker.decode(items, pixels)
        finally:
            self._idle.put(worker)


class _Worker:
    """One process, as it is seen from here."""

    def __init__(self, work: Work, *, logs: bool) -> None:
        self._connection, theirs = Pipe()
        memory = os.memfd_create("verydeep-images")  # not in /dev/shm, which is small in containers
        try:
            os.ftruncate(memory, int(np.prod(work.shape)))
            self._pixels = np.frombuffer(mmap.mmap(memory, 0), np.uint8).reshape(work.shape)
            arguments = (str(theirs.fileno()), str(memory), *((FIRST,) if logs else ()))
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "verydeep.decoding.worker", *arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), memory),
                start_new_session=True,  # Ctrl-C is for this process alone, which saves first
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
            )
        finally:
            os.close(memory)
            theirs.close()
        self._connection.send(work)

    def decode(
        self, items: Sequence[Item], pixels: UInt8[np.ndarray, "images channels size size"]
    ) -> list[Outcome]:
        try:
            self._connection.send(items)
            outcomes: list[Outcome] = self._connection.recv()
        except (EOFError, ConnectionError):
            raise DataError(self._ended()) from None
        pixels[...] = self._pixels[: len(pixels)]
        return outcomes

    def _ended(self) -> str:
        code = self.wait()
        if code >= 0:
            return f"a process that decodes images has ended with exit code {code}. {_NEXT_STEP}"
        memory = ", perhaps as memory was short" if -code == signal.SIGKILL else ""
        return f"a process that decodes images was killed by signal {-code}{memory}. {_NEXT_STEP}"

    def hang_up(self) -> None:
        """Let the process end."""
        self._connection.close()

    def wait(self) -> int:
        """The exit code of the process."""
        try:
            return self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
