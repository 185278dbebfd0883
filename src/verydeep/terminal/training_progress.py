"""The progress of a training on stderr: a bar on a terminal; elsewhere a line per epoch, and in long ones."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from verydeep.analyze.trace import trace
from verydeep.number_format import percent
from verydeep.study.trial import Outcome
from verydeep.terminal.progress_lines import ProgressLines
from verydeep.train.epoch_result import EpochResult
from verydeep.train.run import Job, TrainingWatcher
from verydeep.train.state import TrainingState

MUCH_WAITING = 0.1
"""The share of the time from which waiting for data is shown."""


def bar(console: Console, text: str, unit: str = "") -> Progress:
    """A progress bar with ``text`` before it, and ``unit`` after its count; hidden outside a terminal."""
    return Progress(
        TextColumn(text, markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        *([TextColumn(f"{unit} ·", markup=False)] if unit else []),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def epoch_line(result: EpochResult) -> str:
    """One epoch in one line."""
    width = len(str(result.epochs))
    validation = ""
    if result.val_top1 is not None and result.val_loss is not None:
        balanced = ""
        if result.val_balanced_accuracy is not None:
            balanced = f", balanced {result.val_balanced_accuracy:7.2%}"
        best = " · best so far" if result.is_best else ""
        validation = f" · validation {result.val_top1:7.2%}{balanced}, loss {result.val_loss:.3f}{best}"
    return (
        f"epoch {result.epoch:{width}}/{result.epochs} · training {result.train_top1:7.2%}, "
        f"loss {result.train_loss:.3f} · {result.seconds:.1f} s{throughput_text(result)}{validation}"
    )


def throughput_text(result: EpochResult) -> str:
    """Images per second, and how long the network waited for them where that is much."""
    if result.images_per_second is None:
        return ""
    waits = f", {result.data_wait:.0%} waiting for data" if (result.data_wait or 0) >= MUCH_WAITING else ""
    return f" · {result.images_per_second:,.0f} images/s{waits}"


class TrainingProgress(TrainingWatcher):
    """A bar of all steps with the epochs as lines above it; the lines alone where stderr is no terminal."""

    def __init__(self, console: Console, run: Path, is_stopped: Callable[[], bool]) -> None:
        self.run, self.is_stopped = run, is_stopped
        self.bar = bar(console, "epoch {task.fields[epoch]}", "steps · loss {task.fields[loss]}")
        self.extraction = bar(console, "Feature maps of the frozen stages")
        self.task, self.images = TaskID(0), TaskID(0)
        self.steps_before: Callable[[int], int] = lambda epoch: 0
        self.step_lines = ProgressLines(console, "Training", "steps")
        self.image_lines = ProgressLines(console, "Feature maps of the frozen stages", "images")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.extraction.stop()
        self.bar.stop()

    def has_found(self, lines: tuple[str, ...]) -> None:
        """Print them."""
        for line in lines:
            self._print(line)

    def begins(self, job: Job, state: TrainingState) -> None:
        """Print what is trained on what."""
        architecture = job.network.model.architecture
        for note in architecture.notes:
            self._print(f"Note: {note}")
        totals = trace(architecture).totals
        name, string = architecture.name, architecture.string
        self._print(string if name == string else f"{name}: {string}")
        validation = f", {len(job.val):,} for validation" if job.val else ""
        trained = sum(parameter.numel() for parameter in state.part.parameters())
        frozen = f", {totals.parameters - trained:,} of them frozen" if trained < totals.parameters else ""
        self._print(
            f"{totals.parameters:,} parameters{frozen}, {totals.macs:,} MACs per image; "
            f"{len(job.train):,} images{validation}; into {self.run}"
        )
        if job.recipe.hardest < 1 and state.epochs > 1:
            self._print(
                f"Epochs after the first train on the hardest {percent(job.recipe.hardest, 0)} of images; "
                "their accuracy is lower than that of all images"
            )
        self.steps_before = partial(job.recipe.steps_before, len(job.train))

    def computed(self, done: int, total: int) -> None:
        """Move the bar of the feature maps."""
        if self.extraction.disable:
            self.image_lines(done, total)
            return
        if not self.extraction.tasks:
            self.images = self.extraction.add_task("", total=total)
            self.extraction.start()
        self.extraction.update(self.images, completed=done)
        if done == total:
            self.extraction.stop()

    def stepped(self, state: TrainingState) -> None:
        """Move the bar."""
        done, total = self.steps_before(state.epoch) + state.step, self.steps_before(state.epochs)
        if self.bar.disable:
            self.step_lines(done, total)
            return
        if not self.bar.tasks:
            self.task = self.bar.add_task("", total=total, epoch="", loss="")
            self.bar.start()
        # Reading the loss waits for the device; once in ten steps is often enough to watch.
        if state.step % 10 == 0:
            self.bar.update(self.task, loss=f"{state.tally.mean_loss:.3f}")
        self.bar.update(self.task, completed=done, total=total, epoch=state.epoch + 1)

    def finished_epoch(self, result: EpochResult) -> None:
        """One line."""
        self._print(epoch_line(result))

    def wants_to_stop(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.is_stopped()

    def _print(self, text: str) -> None:
        self.bar.console.print(text, markup=False, soft_wrap=True)


class TrialProgress:
    """A bar of all trials of a study with the finished ones as lines above it."""

    def __init__(self, console: Console, text: str, trials: int) -> None:
        self.bar = bar(console, text, "runs")
        self.task = self.bar.add_task("", total=trials)
        self.trials, self.done = trials, 0

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.bar.stop()

    def finished(self, outcome: Outcome) -> None:
        """One line, and the bar moves."""
        self.done += 1
        self.bar.update(self.task, completed=self.done)
        result = "stopped" if outcome.failed else "probed"
        if outcome.test_top1 is not None:
            result = f"test {outcome.test_top1:.2%}"
        number = f"{self.done:{len(str(self.trials))}}/{self.trials}"
        self.bar.console.print(
            f"{number} · {outcome.name} · {result} · {outcome.seconds:.0f} s", markup=False, soft_wrap=True
        )
