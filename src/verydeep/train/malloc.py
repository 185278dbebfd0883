"""Memory allocation: keep freed memory in the process, so that no step has to ask the kernel for it again."""

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's malloc.h
_LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Make glibc's malloc reuse large blocks; elsewhere nothing changes.

    By default, malloc maps every block above 32 MiB and returns it when freed: each training step then
    faults in all its memory page by page. docs/log.md has the measurements.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, _LARGEST)
