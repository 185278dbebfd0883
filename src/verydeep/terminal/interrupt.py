"""Ctrl-C: a run is stopped after the current step, and saved, so that it can be resumed."""

import shlex
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from types import FrameType

from rich.console import Console

from verydeep.errors import Interrupted
from verydeep.terminal.console import err
from verydeep.train.run_folder import RunFolder


@contextmanager
def stop_on_interrupt(console: Console | None = None) -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, as a function; the second Ctrl-C stops at once.

    ``console`` is where the answer to Ctrl-C goes; stderr by default.
    """
    is_pressed, is_over = Event(), Event()

    def press(number: int, frame: FrameType | None) -> None:
        if is_pressed.is_set():
            raise KeyboardInterrupt
        is_pressed.set()

    def answer() -> None:
        is_pressed.wait()
        if not is_over.is_set():
            text = "Stopping after this step; press Ctrl-C again to stop without saving"
            (console or err()).print(text, markup=False, soft_wrap=True)

    # Not in the signal handler: that interrupts this thread, also where it is printing or importing.
    answering = Thread(target=answer, daemon=True)
    answering.start()
    before = signal.signal(signal.SIGINT, press)
    try:
        yield is_pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)
        if not is_pressed.is_set():
            is_over.set()
            is_pressed.set()
        answering.join()


@contextmanager
def how_to_resume(command: str, data: str, run: Path, flags: Mapping[str, object]) -> Iterator[None]:
    """Adds to an interruption how the ``run`` of ``command`` on ``data`` is resumed.

    Args:
        command: train or tune.
        data: the images.
        run: the run folder.
        flags: those that a run does not keep, such as ``--device``; None where one is not given.

    Raises:
        Interrupted: with that message, also after the second Ctrl-C.
    """
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as error:
        message = str(error) or "stopped at once, without saving this step"
        raise Interrupted(f"{message}. {_next_step(command, data, run, flags)}") from None


def _next_step(command: str, data: str, run: Path, flags: Mapping[str, object]) -> str:
    folder = RunFolder(run)
    if not folder.is_unfinished:
        return "Run the same command again to continue"
    usable = f"{run} holds the linear probe, ready to use. " if folder.model.exists() else ""
    line = shlex.join(["verydeep", command, data, "--resume", "--out", str(run), *given_flags(flags)])
    return f"{usable}Resume it by: {line}"


def given_flags(flags: Mapping[str, object]) -> list[str]:
    """``flags`` as they are typed, without those whose value is None."""
    return [text for flag, value in flags.items() if value is not None for text in (flag, str(value))]
