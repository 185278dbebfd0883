"""The file that holds the bytes of an unfinished download; nothing is written through a link at its path."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has none


def part_size(path: Path) -> int:
    """The bytes that can be resumed: 0 if there is no file, or not a plain one that has this name alone."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return 0
    is_plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    return status.st_size if is_plain else 0


def open_part(path: Path, start: int) -> BinaryIO:
    """The file at ``path``, to be written from ``start`` on; at 0 a new file, whatever is at ``path``.

    Raises:
        OSError: if ``path`` is a folder, or meanwhile became a link.
    """
    if start == 0:
        path.unlink(missing_ok=True)
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb")
    file = os.fdopen(os.open(path, os.O_RDWR | _NO_FOLLOW), "r+b")
    file.seek(start)
    return file
