"""A file that is mapped into memory, of which only a part stays resident."""

import mmap
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

RESIDENT_LIMIT = 64 * 2**20
"""Bytes that are read before the process lets go of them; the system still has them in its cache. Of small
pieces at random, up to three times as much is mapped: the system maps what lies around them too."""


class MappedFile:
    """The bytes of a file, read when they are used."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._bytes = np.frombuffer(self._map, dtype=np.uint8)
        self._read = 0

    def view(self, start: int, size: int) -> UInt8[np.ndarray, " size"]:
        """``size`` bytes from ``start``, without a copy; it stays valid."""
        self._read += size  # not exact where several threads read, which matters little
        if self._read > RESIDENT_LIMIT and hasattr(self._map, "madvise"):
            self._read = 0
            self._map.madvise(mmap.MADV_DONTNEED)  # pages in use are read from the cache again
        return self._bytes[start : start + size]
