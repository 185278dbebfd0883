"""Ctrl-C: a run is stopped after the current step, and saved, so that it can be resumed."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from verydeep.terminal.console import print_message


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, as a function; the second Ctrl-C stops at once."""
    is_pressed = False

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal is_pressed
        if is_pressed:
            raise KeyboardInterrupt
        is_pressed = True
        print_message("Stopping after this step; press Ctrl-C again to stop without saving")

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: is_pressed
    finally:
        signal.signal(signal.SIGINT, before)
