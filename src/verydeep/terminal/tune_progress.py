"""The progress of `verydeep tune` on stderr: a bar for each long part, and lines with its results."""

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import TaskID

from verydeep.number_format import duration, percent
from verydeep.tables.evaluation_table import interval_text
from verydeep.terminal.progress_lines import EVERY_SECONDS, ProgressLines
from verydeep.terminal.training_progress import bar, epoch_line
from verydeep.train.epoch_result import EpochResult
from verydeep.train.run import Job
from verydeep.train.state import TrainingState
from verydeep.tune.config import Strategy
from verydeep.tune.forecast import ExtractionForecast
from verydeep.tune.logistic_regression import L2_STRENGTHS
from verydeep.tune.prepare import TuneWatcher
from verydeep.tune.result import ImageSummary, L2Point, PartSize, StrategyResult

MEGABYTE = 10**6
"""Bytes."""


class TuneProgress(TuneWatcher):
    """Bars on a terminal with lines above them; elsewhere lines alone, also about the progress."""

    def __init__(self, console: Console, is_stopped: Callable[[], bool]) -> None:
        self.is_stopped = is_stopped
        self.bar = bar(console, "{task.description}")
        self.lines: dict[str, ProgressLines] = {}
        self.tasks: dict[str, TaskID] = {}
        self.name = ""
        self.steps_before: Callable[[int], int] = lambda epoch: 0

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.bar.stop()

    def has_read(self, images: ImageSummary, parts: tuple[PartSize, ...], size_reason: str) -> None:
        """The images, what was passed over, and the split."""
        shown = list(images.class_sizes.items())[:8]
        more = ", ..." if len(images.class_sizes) > len(shown) else ""
        classes = ", ".join(f"{name} {size:,}" for name, size in shown) + more
        groups = f" in {images.groups:,} groups" if images.groups else ""
        skipped = f"; skipped: {images.reading.skipped_text}" if images.reading.skipped else ""
        found = f"{images.images:,} images{groups} in {len(images.class_sizes):,} classes: {classes}"
        self._print(f"{images.name}: {found}{skipped}")
        if images.changes:
            self._print(f"Since the earlier run: {images.changes.text}")
        for note in images.reading.notes:
            self._print(f"Note: {note}")
        self._print(
            f"{', '.join(f'{part.part} {part.images:,}' for part in parts)}; resized to {size_reason}"
        )

    def chooses_weights(self, text: str) -> None:
        """One line."""
        self._print(text)

    def downloaded(self, done: int, total: int | None) -> None:
        """Move the bar, in megabytes."""
        self._move(
            "Downloading weights", done // MEGABYTE, None if total is None else total // MEGABYTE, "MB"
        )

    def resizes(self, reason: str) -> None:
        """One line."""
        self._forget_bars()
        self._print(f"Images are resized to {reason}")

    def chooses_precision(self, text: str) -> None:
        """One line."""
        self._print(text)

    def chooses_fit(self, text: str) -> None:
        """One line."""
        self._forget_bars()
        self._print(text)

    def forecasts(self, forecast: ExtractionForecast) -> None:
        """One line, if it is long enough to wait for."""
        if forecast.seconds >= EVERY_SECONDS or not forecast.fits:
            self._print(forecast.text)

    def extracted(self, done: int, total: int) -> None:
        """Move the bar."""
        self._move("Extracting features", done, total)

    def cross_validated(self, point: L2Point) -> None:
        """Move the bar."""
        done = L2_STRENGTHS.index(point.l2) + 1 if point.l2 in L2_STRENGTHS else len(L2_STRENGTHS)
        self._move("Cross-validation", done, len(L2_STRENGTHS))

    def plans(self, strategy: Strategy, images: int, held_out: int, seconds: float) -> None:
        """One line."""
        limit = "" if seconds == float("inf") else f" for at most {duration(seconds)}"
        self._print(
            f"{strategy}: training on {images:,} images{limit}; {held_out:,} are held out for validation"
        )

    def begins(self, job: Job, state: TrainingState) -> None:
        """Set the length of the bar."""
        self.name, self.steps_before = job.name, partial(job.recipe.steps_before, len(job.train))

    def computed(self, done: int, total: int) -> None:
        """Move the bar."""
        self._move(f"Feature maps ({self.name})", done, total)

    def stepped(self, state: TrainingState) -> None:
        """Move the bar."""
        done = self.steps_before(state.epoch) + state.step
        self._move(f"Training ({self.name})", done, self.steps_before(state.epochs))

    def finished_epoch(self, result: EpochResult) -> None:
        """One line."""
        self._print(epoch_line(result))

    def finished_strategy(self, result: StrategyResult) -> None:
        """One line."""
        self._forget_bars()
        if result.validation:
            interval = result.validation.intervals["balanced_accuracy"]
            self._print(
                f"{result.strategy}: balanced accuracy {percent(interval.value)} ({interval_text(interval)}) "
                f"on images that it was not trained on, in {duration(result.seconds)}"
            )
        else:
            self._print(f"{result.strategy}: {result.note}")

    def checked(self, done: int, total: int) -> None:
        """Move the bar."""
        self._move("Checking images", done, total)

    def wants_to_stop(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.is_stopped()

    def _move(self, text: str, done: int, total: int | None, unit: str = "") -> None:
        if self.bar.disable:
            self.lines.setdefault(text, ProgressLines(self.bar.console, text, unit))(done, total)
            return
        if text not in self.tasks:
            self.tasks[text] = self.bar.add_task(f"{text}, {unit}" if unit else text, total=total)
        is_going_on = total is None or done < total
        self.bar.update(self.tasks[text], completed=done, total=total, visible=is_going_on)

    def _forget_bars(self) -> None:
        for task in self.tasks.values():
            self.bar.update(task, visible=False)
        self.tasks.clear()
        self.lines.clear()

    def _print(self, text: str) -> None:
        self.bar.console.print(text, markup=False, soft_wrap=True)
