"""Times networks in several runtimes side by side: a process each, in turns on the same machine."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from verydeep.architecture.preprocess import Preprocess
from verydeep.bench.candidate import BenchRuntime, Candidate
from verydeep.bench.worker import serve
from verydeep.errors import CheckpointError
from verydeep.export.check_images import CheckImages
from verydeep.export.export_bundle import bytes_of
from verydeep.runtime.bundle import Precision

ROUNDS = 7
"""Turns of each runtime; the median is over all of them."""
SECONDS_A_TURN = 0.4
MAX_REPEATS = 200
_STOP_SECONDS = 10

OnTurn = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class BenchRow:
    """One runtime and precision at one batch size."""

    runtime: BenchRuntime
    precision: Precision
    batch: int
    median_ms: float
    p95_ms: float
    memory_mb: float
    """The largest resident memory of its process up to this batch size."""
    disk_mb: float
    start_s: float
    """From the start of its process to the first logits."""
    agreement: float
    """The share of the check images with the same most probable class as the first candidate's."""
    accuracy: float | None
    """On the check images; None without labels."""
    share_of_peak: float
    """Of the multiply-adds of this machine's matrix multiplication in fp32."""

    @property
    def images_per_second(self) -> float:
        """At the median latency."""
        return 1000 * self.batch / self.median_ms

    @property
    def values(self) -> dict[str, Any]:
        """For JSON; accuracy and the share of the peak are for people."""
        return {
            "runtime": self.runtime,
            "precision": self.precision,
            "batch": self.batch,
            "latency_ms": {"median": self.median_ms, "p95": self.p95_ms},
            "images_per_second": self.images_per_second,
            "memory_mb": self.memory_mb,
            "disk_mb": self.disk_mb,
            "start_s": self.start_s,
            "agreement": self.agreement,
        }


@dataclass(frozen=True)
class _Worker:
    """The process of a candidate."""

    candidate: Candidate
    pipe: Connection
    start_s: float

    def ask(self, name: str, argument: Any = None) -> Any:
        """The answer to a request; an error if the process is gone."""
        try:
            self.pipe.send((name, argument))
            return self.pipe.recv()
        except (EOFError, OSError):
            where = f"{self.candidate.runtime} in {self.candidate.precision}"
            raise CheckpointError(f"{where} ended while it was timed; leave it out by --runtimes") from None


def measure(
    candidates: Sequence[Candidate],
    preprocess: Preprocess,
    batches: Sequence[int],
    images: CheckImages,
    *,
    macs: int,
    peak: float,
    threads: int | None = None,
    on_turn: OnTurn | None = None,
) -> list[BenchRow]:
    """A row for each of ``candidates`` and ``batches``.

    Args:
        candidates: what is timed; the others are compared with the first.
        preprocess: the preprocessing of the network.
        batches: batch sizes.
        images: for agreement and accuracy.
        macs: multiply-adds of the network for one image.
        peak: multiply-adds per second that the machine reaches (``matmul_peak``).
        threads: of each runtime; as many as there are cores by default.
        on_turn: called after each turn.

    Raises:
        CheckpointError: if a runtime cannot load its network, or ends.
    """
    turns, seconds, memory = _Turns(len(batches) * ROUNDS, on_turn), {}, {}
    with _workers(candidates, preprocess, threads) as workers:
        for batch in sorted(batches):  # memory is the highest so far: smaller batches come first
            seconds[batch] = _in_turns(workers, batch, turns)
            memory[batch] = [worker.ask("memory") for worker in workers]
        logits = [worker.ask("logits", images.pixels) for worker in workers]
    return [
        BenchRow(
            runtime=worker.candidate.runtime,
            precision=worker.candidate.precision,
            batch=batch,
            median_ms=1000 * float(np.median(times)),
            p95_ms=1000 * float(np.quantile(times, 0.95)),
            memory_mb=memory_bytes / 1e6,
            disk_mb=bytes_of(worker.candidate.path) / 1e6,
            start_s=worker.start_s,
            agreement=float((own.argmax(1) == logits[0].argmax(1)).mean()),
            accuracy=images.accuracy(own),
            share_of_peak=macs * batch / float(np.median(times)) / peak,
        )
        for batch in batches
        for worker, own, times, memory_bytes in zip(
            workers, logits, seconds[batch], memory[batch], strict=True
        )
    ]


class _Turns:
    """Counts turns for a progress bar."""

    def __init__(self, total: int, on_turn: OnTurn | None) -> None:
        self.done, self.total, self.on_turn = 0, total, on_turn

    def next(self) -> None:
        self.done += 1
        if self.on_turn:
            self.on_turn(self.done, self.total)


def _in_turns(workers: Sequence[_Worker], batch: int, turns: _Turns) -> list[list[float]]:
    """The seconds of every pass of each worker."""
    repeats = [_repeats(worker.ask("time", (batch, 1))[0]) for worker in workers]
    seconds: list[list[float]] = [[] for _ in workers]
    for _ in range(ROUNDS):
        for worker, count, own in zip(workers, repeats, seconds, strict=True):
            own += worker.ask("time", (batch, count))
        turns.next()
    return seconds


def _repeats(seconds: float) -> int:
    return max(1, min(MAX_REPEATS, round(SECONDS_A_TURN / max(seconds, 1e-6))))


@contextmanager
def _workers(
    candidates: Sequence[Candidate], preprocess: Preprocess, threads: int | None
) -> Iterator[list[_Worker]]:
    """A process for each candidate, started one after the other; all end with the block."""
    context = get_context("spawn")
    pipes, processes, workers = [], [], []
    try:
        for candidate in candidates:
            pipe, other = context.Pipe()
            pipes.append(pipe)
            start = time.perf_counter()
            process = context.Process(target=serve, args=(other, candidate, preprocess, threads), daemon=True)
            process.start()
            other.close()
            processes.append(process)
            problem = _first_answer(pipe, candidate)
            workers.append(_Worker(candidate, pipe, time.perf_counter() - start))
            if problem is not None:
                raise CheckpointError(problem)
        yield workers
    finally:
        for pipe in pipes:  # also that of a process that has not answered yet
            pipe.close()
        for process in processes:
            process.join(_STOP_SECONDS)
            process.kill()


def _first_answer(pipe: Connection, candidate: Candidate) -> str | None:
    try:
        answer: str | None = pipe.recv()
    except EOFError:
        return f"{candidate.runtime} in {candidate.precision} ended at its start; leave it out by --runtimes"
    return answer
