"""The progress of a long job as plain lines, where stderr is no terminal but a log file or a batch system."""

import time
from collections.abc import Callable

from rich.console import Console

from verydeep.number_format import duration, percent

EVERY_SECONDS = 30.0
"""A line comes at least so often, if the job reports."""
EVERY_SHARE = 0.1
"""And after each such share of the job, but not sooner than"""
LEAST_SECONDS = 5.0
"""after the last one, so that a short job writes none."""


class ProgressLines:
    """Lines such as ``Predicting: 1,200 of 12,000 images (10 %), about 9 min 00 s left``."""

    def __init__(
        self, console: Console, text: str, unit: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console, self.text, self.unit, self.clock = console, text, unit, clock
        self.began: float | None = None
        self.start, self.done, self.last, self.step = 0, 0, 0.0, 0

    def __call__(self, done: int, total: int | None) -> None:
        """``done`` of ``total`` are done; None where the total is unknown."""
        now = self.clock()
        is_another = done < self.done  # the next of several files
        self.done = done
        if self.began is None or is_another:
            self.began, self.start, self.last = now, done, now
            self.step = _step(done, total)
            return
        since, step = now - self.last, _step(done, total)
        if since >= EVERY_SECONDS or (since >= LEAST_SECONDS and step > self.step):
            self.last, self.step = now, step
            self.console.print(self._line(done, total, now - self.began), markup=False, soft_wrap=True)

    def _line(self, done: int, total: int | None, seconds: float) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if not total:
            return f"{self.text}: {done:,}{unit}, {duration(seconds)} so far"
        line = f"{self.text}: {done:,} of {total:,}{unit} ({percent(done / total, 0)})"
        if self.start < done < total:
            line += f", about {duration(seconds * (total - done) / (done - self.start))} left"
        return line


def _step(done: int, total: int | None) -> int:
    return int(done / total / EVERY_SHARE + 1e-9) if total else 0
