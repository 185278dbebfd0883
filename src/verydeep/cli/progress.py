"""What is seen of a download on stderr: a bar on a terminal, nothing elsewhere. It needs no torch."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class ByteProgress:
    """Bytes done of all bytes; silent until the first call, and where nobody watches."""

    def __init__(self, console: Console, text: str) -> None:
        columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(compact=True))
        self.bar = Progress(TextColumn(text), BarColumn(20), *columns, console=console, transient=True)
        self.task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int | None) -> None:
        """``done`` bytes of ``total`` have come."""
        if self.task is None:
            self.task = self.bar.add_task("", total=total)
            self.bar.start()
        self.bar.update(self.task, completed=done, total=total)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.bar.stop()
