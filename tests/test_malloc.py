"""Freed memory returns to the kernel."""

import ctypes
import resource
from pathlib import Path

from verydeep.malloc import return_freed_memory

BLOCK, COUNT = 100_000, 1_000
"""Blocks that malloc keeps in its heap: the smallest that it maps has 131,072 bytes."""


def test_freed_blocks_below_a_used_one_return_to_the_kernel():
    return_freed_memory()
    blocks = [ctypes.create_string_buffer(b"x" * BLOCK) for _ in range(COUNT)]
    last = blocks.pop()  # the heap ends after it, so its end cannot move
    full = resident()
    del blocks
    return_freed_memory(every=3600)  # not again so soon after the last time
    assert full - resident() < 0.1 * BLOCK * COUNT
    return_freed_memory()
    assert full - resident() > 0.9 * BLOCK * COUNT
    assert last.value == b"x" * BLOCK


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
