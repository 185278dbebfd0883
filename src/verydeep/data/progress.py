"""Progress of a job over many images, for a progress bar."""

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Protocol, TypeVar, runtime_checkable

OnProgress = Callable[[int, int], None]
"""Called with the number of images that are done, and the number of all images."""


@runtime_checkable
class ImageBatch(Protocol):
    """A batch of which some images were read and others are broken."""

    @property
    def indices(self) -> Sized:
        """The images that were read."""

    @property
    def broken(self) -> Sized:
        """The images that cannot be read."""


T = TypeVar("T", bound=ImageBatch)


def count_images(batches: Iterable[T], total: int, progress: OnProgress | None) -> Iterator[T]:
    """``batches``, with a call of ``progress`` before the first and after each."""
    report = progress or _ignore
    done = 0
    report(done, total)
    for batch in batches:
        yield batch
        done += len(batch.indices) + len(batch.broken)
        report(done, total)


def _ignore(done: int, total: int) -> None:
    pass
