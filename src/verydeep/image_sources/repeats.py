"""Finds out whether an image is there twice, by whatever paths."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from verydeep.image_sources.folders.walk import real_path
from verydeep.image_sources.image_source import ImageSource


def are_different(keys: Iterable[object]) -> bool:
    """Whether no two of ``keys`` are equal, by their hashes, which take less memory.

    Two different keys may have one hash, once in some millions of times; an exact comparison then decides.
    """
    hashes = np.fromiter(map(hash, keys), dtype=np.int64)
    hashes.sort()
    return not (hashes[1:] == hashes[:-1]).any()


def real_sources(sources: Iterable[ImageSource]) -> Iterator[ImageSource]:
    """Each image as the same source, whichever path to its file is given."""
    folders: dict[Path, Path] = {}
    for source in sources:
        yield _real_file(source, folders) if isinstance(source, Path) else source


def _real_file(file: Path, folders: dict[Path, Path]) -> Path:
    """Its real path; those of ``folders`` are looked up once."""
    if file.parent not in folders:
        folders[file.parent] = real_path(file.parent)
    real = folders[file.parent] / file.name
    return real_path(real) if real.is_symlink() else real
