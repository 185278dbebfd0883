"""The files below a folder, without following links."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CachedFile:
    """A file, and what the system knows of it."""

    path: Path
    size: int
    """In bytes; 0 for a link."""
    last_used: float
    """Seconds since 1970 when it was last read or written. Many systems note reading once a day only."""
    is_link: bool = False
    """Whether it is a link to a file or folder, which is not followed."""


def files_below(folder: Path) -> Iterator[CachedFile]:
    """All files below ``folder``, as deep as they are; nothing where it cannot be read or does not exist."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(Path(entry))
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # deleted meanwhile
            continue
        is_link = entry.is_symlink()
        last_used = max(status.st_atime, status.st_mtime)
        yield CachedFile(Path(entry), 0 if is_link else status.st_size, last_used, is_link)


def folder_size(folder: Path) -> int:
    """The bytes of all files below ``folder``."""
    return sum(file.size for file in files_below(folder))
