"""Claims: what is written to is written by one process at a time.

A claim is a lock of the operating system on a hidden file, and ends with the process that holds it, however
that ends. The file is deleted at the end of the claim; a killed process leaves it, which claims nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from verydeep.errors import InUseError

LOCK = ".lock"
"""The file in a folder that is claimed."""


@contextmanager
def claim_folder(folder: Path) -> Iterator[None]:
    """Claim ``folder``, which is made; if nothing is in it at the end, it is removed again.

    Raises:
        InUseError: where another process has claimed it.
        OSError: where it cannot be written to.
    """
    with _claim(folder, folder / LOCK):
        yield


@contextmanager
def claim_file(path: Path) -> Iterator[None]:
    """Claim the file at ``path``, whether it exists or not; its folder is made as by ``claim_folder``.

    Raises:
        InUseError: where another process has claimed it.
        OSError: where its folder cannot be written to.
    """
    with _claim(path, path.with_name(f".{path.name}{LOCK}")):
        yield


def is_in_use(folder: Path) -> bool:
    """Whether a process has claimed ``folder``, which exists; where none has, nothing is written."""
    if not (folder / LOCK).exists():
        return False
    try:
        with claim_folder(folder):
            return False
    except InUseError:
        return True


def remove_dead_claims(folder: Path) -> None:
    """Delete what killed processes left in ``folder`` of their claims to files."""
    for file in folder.glob(f".*{LOCK}"):
        name = file.name.removeprefix(".").removesuffix(LOCK)
        with suppress(InUseError, OSError), claim_file(folder / name):
            pass  # the end of a claim deletes its file


@contextmanager
def _claim(path: Path, file: Path) -> Iterator[None]:
    made = [folder for folder in (file.parent, *file.parent.parents) if not folder.exists()]
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        raise InUseError(
            f"another process is writing to {path}: wait until it has ended, or give another --out"
        ) from None
    except OSError as error:
        error.filename = str(path)  # the user does not know the hidden file
        raise
    try:
        yield
    finally:
        with suppress(OSError):  # Windows does not delete an open file
            file.unlink()  # before the lock is released, or another process could hold it by then
        lock.release()
        for folder in made:
            with suppress(OSError):  # something is in it
                folder.rmdir()
