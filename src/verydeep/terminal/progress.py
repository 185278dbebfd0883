"""Progress of long jobs on stderr: bars on a terminal, plain lines elsewhere. This module needs no torch."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from verydeep.terminal.progress_lines import ProgressLines


class ProgressBar:
    """A bar that is there from the first call to the last; lines where ``console`` is no terminal."""

    def __init__(self, console: Console, text: str, *columns: ProgressColumn, unit: str = "") -> None:
        self.bar = Progress(
            TextColumn(text, markup=False), BarColumn(20), *columns, TimeRemainingColumn(compact=True),
            console=console, transient=True, disable=not console.is_terminal,
            redirect_stdout=False,  # results on stdout must stay there
        )  # fmt: skip
        self.task: TaskID | None = None
        self.lines = None if console.is_terminal else ProgressLines(console, text, unit)

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int | None) -> None:
        """``done`` of ``total`` are done; None where the total is unknown."""
        if self.lines:
            self.lines(done, total)
            return
        if self.task is None:
            self.task = self.bar.add_task("", total=total)
        self.bar.start()
        self.bar.update(self.task, completed=done, total=total)
        if done == total:  # the next job has a bar too, and rich before 14 allows no two at once
            self.bar.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.bar.stop()


class ByteProgress(ProgressBar):
    """A bar of bytes, for downloads."""

    def __init__(self, console: Console, text: str) -> None:
        super().__init__(console, text, DownloadColumn(), TransferSpeedColumn(), unit="bytes")


class ImageProgress(ProgressBar):
    """A bar of images."""

    def __init__(self, console: Console, text: str) -> None:
        super().__init__(console, text, MofNCompleteColumn(), unit="images")
