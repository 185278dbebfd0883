"""Refuses an output that cannot be written, before anything is computed for it."""

import os
from pathlib import Path

from verydeep.atomic_write import remove_leftovers
from verydeep.errors import DataError
from verydeep.user_path import user_path


def require_writable_file(path: Path) -> None:
    """Check that a file can be written at ``path``; missing folders will be made.

    Raises:
        DataError: if it is a folder, or the nearest folder that exists cannot be written to.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; expected the name of a file to write")
    require_writable_folder(path.absolute().parent)


def require_page(path: Path) -> None:
    """Check that a page can be written at ``path``.

    Raises:
        DataError: if it is not the name of an HTML file, or cannot be written.
    """
    require_writable_file(path)
    if path.suffix.lower() != ".html":
        raise DataError(f"{path} would be an HTML page; give a name such as {path.with_suffix('.html')}")


def require_not_input(path: Path, location: str | Path) -> None:
    """Check that ``path`` is not the file that images are read from, also as ``cells.csv:label``.

    Raises:
        DataError: if it is.
    """
    names = (str(location), str(location).rpartition(":")[0])
    if path.exists() and any(name and _is_same(path, user_path(name)) for name in names):
        raise DataError(f"{path} is what this command reads; give another name with --out")


def _is_same(path: Path, other: Path) -> bool:
    return other.exists() and path.samefile(other)


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
