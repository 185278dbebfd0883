"""Stops a rank whose torchrun was killed: nothing else is left that would end it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from verydeep.torchrun import is_launched

SECONDS = 1.0
"""Between two looks."""


@contextmanager
def stopped_with_launcher() -> Iterator[None]:
    """Within the block, the end of the process that has started this rank is as Ctrl-C here."""
    if not is_launched():
        yield
        return
    is_over = Event()
    Thread(target=_watch, args=(os.getppid(), is_over), daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _watch(launcher: int, is_over: Event) -> None:
    while not is_over.wait(SECONDS):
        if os.getppid() != launcher:  # it has ended, and the system has adopted this process
            os.kill(os.getpid(), signal.SIGINT)
            return
