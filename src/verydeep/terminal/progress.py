"""What is seen of a long job on stderr: a bar on a terminal, nothing elsewhere. It needs no torch."""

from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import Protocol, Self, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class Part(Protocol):
    """What became of some images."""

    @property
    def indices(self) -> Sized:
        """Those that were read."""

    @property
    def broken(self) -> Sized:
        """Those that could not be."""


T = TypeVar("T", bound=Part)


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


class ImageProgress:
    """Images done of all images."""

    def __init__(self, console: Console, text: str, images: int) -> None:
        columns = (MofNCompleteColumn(), TimeRemainingColumn(compact=True))
        self.bar = Progress(TextColumn(text), BarColumn(20), *columns, console=console, transient=True)
        self.task = self.bar.add_task("", total=images)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def follow(self, parts: Iterable[T]) -> Iterator[T]:
        """``parts`` as they come, each counted by its images: those seen and those broken."""
        for part in parts:
            self.bar.advance(self.task, len(part.indices) + len(part.broken))
            yield part

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.bar.stop()
