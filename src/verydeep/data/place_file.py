"""Gives files new places without ever replacing another file."""

import filecmp
import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from verydeep.atomic_write import part_folder

COPY = "copy"
"""The name of an unfinished copy; the name of the image may be as long as names can be."""


def free_names(name: str) -> Iterator[str]:
    """``name``, then ``cat-2.jpg``, ``cat-3.jpg`` and so on for ``cat.jpg``."""
    yield name
    path = Path(name)
    for number in count(2):
        yield f"{path.stem}-{number}{path.suffix}"


def move_file(source: Path, target: Path) -> None:
    """Give the file at ``source``, which is no link, the name ``target`` on the same file system.

    Whenever the process ends, the file is at one of both names, or at both.

    Raises:
        FileExistsError: if there is a file at ``target``, which stays as it is.
    """
    try:
        os.link(source, target)  # unlike a rename, it never replaces
    except FileExistsError:
        raise
    except OSError:  # file systems such as FAT have no hard links
        if os.path.lexists(target):
            raise FileExistsError(None, "exists already", str(target)) from None
        source.rename(target)
    else:
        source.unlink()


def place_copy(source: Path | bytes, folder: Path, name: str) -> bool:
    """Copy a file to ``folder / name``, or to the next free name where another file has that one.

    A copy is complete or not there at all.

    Args:
        source: the file, or the content of one.
        folder: where it is copied to.
        name: of the copy.

    Returns:
        Whether it was copied; false where the same content is there already under one of these names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with part_folder(folder / COPY) as part:
        copy = part / COPY
        _write(source, copy)
        for candidate in free_names(name):
            target = folder / candidate
            try:
                move_file(copy, target)
            except FileExistsError:
                if target.is_file() and filecmp.cmp(copy, target, shallow=False):
                    return False
            else:
                return True
    raise AssertionError("names never end")


def _write(source: Path | bytes, path: Path) -> None:
    if isinstance(source, Path):
        shutil.copy2(source, path)
    else:
        path.write_bytes(source)


def place_link(source: Path, folder: Path, name: str) -> bool:
    """Make a symbolic link to ``source`` at ``folder / name``, or at the next free name.

    Returns:
        Whether it was made; false where such a link is there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    absolute = source.absolute()
    for candidate in free_names(name):
        target = folder / candidate
        try:
            target.symlink_to(absolute)
        except FileExistsError:
            if target.is_symlink() and target.readlink() == absolute:
                return False
        else:
            return True
    raise AssertionError("names never end")
