"""What the cache folder holds: downloaded data sets and weights, features, and what dead processes left.

data/NAME/       the files of a built-in data set
weights/NAME/    a published weight file, and the record of its checksum
features/NAME/   the feature cache of `verydeep tune`, for one network with its preprocessing
runtimes/timings/  which runtime was the fastest for an exported network, of `--runtime auto`

In each of these, ``.FILE.TOKEN.part`` and ``.package-TOKEN`` are folders that a process writes in. They are
leftovers if that process is dead.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast

from verydeep.atomic_write import PART, is_leftover
from verydeep.cache.files import CachedFile, files_below
from verydeep.cache.own_files import PARTIAL, OwnFiles, is_lock
from verydeep.claim import is_in_use
from verydeep.download.sources import PACKAGE_PREFIX

Kind = Literal["data", "weights", "features", "runtimes", "leftovers"]


@dataclass(frozen=True, kw_only=True)
class CacheEntry:
    """What belongs together: one download, the features of one network, or the leftovers in one folder."""

    kind: Kind
    name: str
    """Of the data set or the weights; of leftovers, their folder in the cache, such as ``data/cifar10``."""
    folder: Path
    files: tuple[CachedFile, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(file.size for file in self.files)

    @property
    def last_used(self) -> float:
        """Seconds since 1970 when a file of it was last read or written."""
        return max(file.last_used for file in self.files)

    @property
    def is_partial(self) -> bool:
        """Whether a download is unfinished; the next one resumes it."""
        return self.kind != "leftovers" and any(file.path.suffix == PARTIAL for file in self.files)


@dataclass(frozen=True, kw_only=True)
class CacheContents:
    """The cache folder with all that is in it."""

    folder: Path
    """Without links in its path."""
    entries: tuple[CacheEntry, ...]
    others: tuple[CachedFile, ...]
    """Files that are not from verydeep, and links."""

    @property
    def size(self) -> int:
        """Of all entries, in bytes."""
        return sum(entry.size for entry in self.entries)


def read_cache(root: Path) -> CacheContents:
    """The contents of the cache folder ``root``. Links in it are not followed; what is being written is left
    out.
    """
    root = root.resolve()
    own, is_dead = OwnFiles(root), lru_cache(_is_dead)
    found, others = defaultdict[tuple[Kind, str], list[CachedFile]](list), list[CachedFile]()
    for file in files_below(root):
        parts = file.path.relative_to(root).parts
        place, inside = "/".join(parts[:2]), parts[2:]
        if file.is_link or not inside or not own.is_place(place):
            others.append(file)
        elif len(inside) > 1 and is_writing_folder(inside[0]):
            if is_dead(root / place / inside[0]):
                found["leftovers", place].append(file)
        elif len(inside) > 1 or not own.has(place, inside[0]):
            others.append(file)
        elif not is_lock(inside[0]):
            found[cast(Kind, parts[0]), place].append(file)
    entries = (
        CacheEntry(
            kind=kind, name=place if kind == "leftovers" else place.split("/")[1],
            folder=root / place, files=tuple(files),
        )
        for (kind, place), files in sorted(found.items())
    )  # fmt: skip
    return CacheContents(folder=root, entries=tuple(entries), others=tuple(others))


def is_writing_folder(name: str) -> bool:
    """Whether a process that writes a file makes folders with such names."""
    return bool(PART.fullmatch(name)) or name.startswith(PACKAGE_PREFIX)


def _is_dead(folder: Path) -> bool:
    """Whether the process that made the ``folder`` to write in is dead."""
    if PART.fullmatch(folder.name):
        return is_leftover(folder)
    try:
        return not is_in_use(folder.parent)
    except OSError:  # a cache that may not be written to
        return False
