"""Keeping freed memory in the process, so that each step does not ask the kernel for it anew."""

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's malloc.h
_LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Have glibc's malloc reuse large blocks; elsewhere nothing is changed.

    Left alone, malloc maps every block above 32 MiB and gives it back when freed: each step of a training
    then faults in all its maps page by page. docs/log.md has what it is worth.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, _LARGEST)
