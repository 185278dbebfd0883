"""What is seen of a training on stderr: a bar on a terminal, a plain line an epoch elsewhere."""

from collections.abc import Callable
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
from verydeep.architecture.architecture import Architecture
from verydeep.study.trial import Outcome
from verydeep.train.epoch_result import EpochResult
from verydeep.train.loop import Course
from verydeep.train.state import TrainingState
from verydeep.train.train import Watcher


def bar(console: Console, text: str, unit: str = "") -> Progress:
    """A bar of so many of so many ``unit`` behind ``text``; none where ``console`` is no terminal."""
    return Progress(
        TextColumn(text),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        *([TextColumn(f"{unit} ·")] if unit else []),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


class TrainingProgress(Watcher):
    """A bar of all steps with the epochs as lines above it; the lines alone where stderr is no terminal."""

    def __init__(self, console: Console, is_stopped: Callable[[], bool]) -> None:
        self.console = console
        self.is_stopped = is_stopped
        self.bar = bar(console, "epoch {task.fields[epoch]}", "steps · loss {task.fields[loss]}")
        self.task = TaskID(0)
        self.steps = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.bar.stop()

    def begins(self, architecture: Architecture, course: Course, state: TrainingState, run: Path) -> None:
        """Say what is trained on what, and show the bar."""
        for note in architecture.notes:
            self._say(f"Note: {note}")
        totals = trace(architecture).totals
        self._say(f"{architecture.name}: {architecture.string}")
        held_back = f", {len(course.val):,} held back to choose by" if course.val else ""
        self._say(
            f"{totals.parameters:,} parameters, {totals.macs:,} MACs an image; "
            f"{len(course.train):,} images{held_back}; into {run}"
        )
        self.steps = course.steps
        self.task = self.bar.add_task("", total=course.epochs * course.steps, epoch="", loss="")
        self.bar.start()
        self.stepped(state)

    def stepped(self, state: TrainingState) -> None:
        """Move the bar."""
        if self.bar.disable:
            return
        # Reading the loss waits for the device; once in ten steps is often enough for an eye.
        if state.step % 10 == 0 and state.tally.images:
            self.bar.update(self.task, loss=f"{float(state.tally.loss) / state.tally.images:.3f}")
        self.bar.update(self.task, completed=state.epoch * self.steps + state.step, epoch=state.epoch + 1)

    def finished_epoch(self, result: EpochResult) -> None:
        """One line."""
        validation = ""
        if result.val_top1 is not None and result.val_loss is not None:
            validation = f" · validation {result.val_top1:7.2%}, loss {result.val_loss:.3f}"
        width = len(str(result.epochs))
        self._say(
            f"epoch {result.epoch:{width}}/{result.epochs} · training {result.train_top1:7.2%}, "
            f"loss {result.train_loss:.3f}{validation} · {result.seconds:.1f} s"
        )

    def wants_to_stop(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.is_stopped()

    def _say(self, text: str) -> None:
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
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
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
