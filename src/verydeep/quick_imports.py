"""Imports of thousands of modules, such as PyTorch's, without Python's garbage collector."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import modules in less time, in a process that keeps them until it ends.

    Modules are no garbage, but the collector goes through all of them again and again while they are
    imported, and once more when the process ends: 0.6 s of the 2 s of a prediction (docs/log.md). What
    exists after the imports is left out of every later collection.
    """
    modules, was_enabled = len(sys.modules), gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > modules:  # not for imports of what is there, after which much may be garbage
            gc.freeze()
        if was_enabled:
            gc.enable()
