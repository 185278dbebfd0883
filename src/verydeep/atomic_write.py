"""Atomic writes: a file is written completely or not at all, and a killed process leaves nothing for long.

A file is written in a folder of its own beside the target, ``.NAME.TOKEN.part``, so that whatever a library
puts next to the file that it writes is in there too. Where the system can, its writer holds a lock on that
folder, which ends with the writer's process: so the next writer knows which folders are left over.
"""

import errno
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.part", re.DOTALL)
"""The name of a folder that a file is written in."""
READ_WRITE = 0o666
"""The permissions of a file before the umask."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path to write to; on success it is synced to disk and replaces ``path``.

    On an error, ``path`` does not change and the temporary file is deleted. The new file has the permissions
    that the umask gives.

    Raises:
        OSError: naming ``path``, where the disk is full or does not allow it.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, path.name)
        with part_folder(path) as folder:
            temporary = folder / path.name
            with _naming_in_place_of(temporary, path):
                yield temporary
                with temporary.open("rb+") as file:
                    os.fsync(file.fileno())
                temporary.chmod(folder.stat().st_mode & READ_WRITE)  # a library may have made it private
                temporary.replace(path)
        _sync_folder(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to write files to; on success it is synced to disk and gets the new name ``path``.

    Raises:
        OSError: naming ``path``, where the disk is full or does not allow it, or ``path`` exists.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, path.name)
        with part_folder(path) as folder:
            temporary = folder / path.name
            temporary.mkdir()
            with _naming_in_place_of(temporary, path):
                yield temporary
                for file in temporary.rglob("*"):
                    if file.is_file():
                        with file.open("rb+") as opened:
                            os.fsync(opened.fileno())
                for each in (temporary, *filter(Path.is_dir, temporary.rglob("*"))):
                    _sync_folder(each)
                temporary.rename(path)
        _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, completely or not at all.

    The undecodable bytes of a file name are written as escapes, as a page shows them.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Adds ``path`` to an error of the system that names no file, as those of a full disk do."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def _naming_in_place_of(temporary: Path, path: Path) -> Iterator[None]:
    """Has an error of the system name ``path``: the caller does not know the ``temporary`` one."""
    try:
        yield
    except OSError as error:
        if error.filename == str(temporary):
            error.filename = str(path)
        raise


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Delete what dead processes left in ``folder`` while they wrote the file ``name``, or any file."""
    for part in folder.iterdir() if folder.is_dir() else ():
        match = PART.fullmatch(part.name)
        if match and name in (None, match["name"]) and part.is_dir():
            with suppress(OSError):  # another process has deleted it, or may
                if (descriptor := _lock(part)) is not None:
                    shutil.rmtree(part, ignore_errors=True)
                    os.close(descriptor)


def is_leftover(part: Path) -> bool:
    """Whether the process that wrote in the folder ``part`` is dead; False where that cannot be known."""
    try:
        descriptor = _lock(part)
    except OSError:  # it is alive, or has just deleted the folder
        return False
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def delete_folder(folder: Path) -> None:
    """Delete ``folder``: it is gone at once, and what a kill leaves of it is a leftover."""
    if folder.is_dir():
        part = _part_path(folder)
        folder.rename(part)
        shutil.rmtree(part, ignore_errors=True)


def require_room(folder: Path, size: int) -> None:
    """Refuse a disk that has no room for ``size`` more bytes in ``folder``, which exists.

    Raises:
        OSError: naming ``folder``.
    """
    free = shutil.disk_usage(folder).free
    if free < size:
        text = f"the disk is full: {size / 1e6:,.0f} MB are needed here, and {free / 1e6:,.0f} MB are free"
        raise OSError(errno.ENOSPC, text, str(folder))


@contextmanager
def part_folder(path: Path) -> Iterator[Path]:
    """A folder beside ``path`` to write in, which is deleted at the end; ``remove_leftovers`` knows it."""
    folder, descriptor = _new_part_folder(path)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def _new_part_folder(path: Path) -> tuple[Path, int | None]:
    """A folder to write in and the descriptor that locks it."""
    while True:
        folder = _part_path(path)
        folder.mkdir()
        try:
            return folder, _lock(folder)
        except (BlockingIOError, FileNotFoundError):  # another process took it for a leftover
            continue


def _part_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the lock on ``folder`` until it is closed; None where there are no locks.

    Raises:
        BlockingIOError: where another process holds it.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:  # some file systems have none
        os.close(descriptor)
        return None
    return descriptor


def _sync_folder(folder: Path) -> None:
    """Make the rename survive a power failure, on systems that support it."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
