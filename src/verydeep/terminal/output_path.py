"""Refuses an output that cannot be written, before anything is computed for it."""

import os
from pathlib import Path

from verydeep.atomic_write import remove_leftovers
from verydeep.errors import DataError


def require_writable_file(path: Path) -> None:
    """Check that a file can be written at ``path``; missing folders will be made.

    Raises:
        DataError: if it is a folder, or the nearest folder that exists cannot be written to.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; expected the name of a file to write")
    require_writable_folder(path.absolute().parent)


def require_new_file(path: Path, advice: str) -> None:
    """Check that there is nothing at ``path``; what a killed process left of writing it is removed.

    Raises:
        DataError: with ``advice``, where there is something, or it cannot be written.
    """
    remove_leftovers(path.absolute().parent, path.name)
    if path.exists():
        raise DataError(f"{path} already exists; {advice}")
    require_writable_file(path)


def require_writable_folder(path: Path) -> None:
    """Check that a folder can be made and written to at ``path``.

    Raises:
        DataError: if the nearest path that exists is not a folder, or does not permit it.
    """
    place = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not place.is_dir():
        raise DataError(f"{path} cannot be written, because {place} is not a folder. Name another output")
    if not os.access(place, os.W_OK | os.X_OK):
        raise DataError(f"{path} cannot be written: there is no permission for {place}. Name another output")
