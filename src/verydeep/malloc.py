"""Memory of glibc's malloc, kept in the process for speed or given back to the kernel; elsewhere a no-op."""

import ctypes
import math
import platform
import time
from functools import cache

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's malloc.h
_LARGEST = 2**31 - 1
BETWEEN_BATCHES = 0.5
"""Seconds between two times that freed memory is given back in a stream of batches. What a small network
frees after a batch it takes again for the next one, page by page."""
_last = -math.inf
"""When freed memory was given back last, on the monotonic clock."""


def keep_freed_memory() -> None:
    """Reuse large blocks, so that no training step has to ask the kernel for memory again.

    By default, malloc maps every block above 32 MiB and returns it when freed: each training step then
    faults in all its memory page by page. docs/log.md has the measurements.
    """
    if libc := _glibc():
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, _LARGEST)


def return_freed_memory(every: float = 0.0) -> None:
    """Give all freed blocks back to the kernel; not again within ``every`` seconds.

    By default, malloc keeps blocks up to the largest one that was freed so far (at most 32 MiB) in its heaps.
    The maps of a network and the pixels of images of many sizes leave gaps there, in the heap of every
    decoding thread, so the process grows over hundreds of images. docs/log.md has the measurements.
    """
    global _last
    now = time.monotonic()
    if now - _last < every:
        return
    _last = now
    if libc := _glibc():
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
