"""Ctrl-C: answered at once, but not in the signal handler."""

import signal
from threading import current_thread, main_thread

import pytest

from verydeep.terminal.interrupt import stop_on_interrupt


class Recording:
    """A console that keeps what is printed, and in which thread."""

    def __init__(self):
        self.lines, self.threads = [], []

    def print(self, text, **_):
        self.lines.append(text)
        self.threads.append(current_thread())


def test_the_answer_is_not_printed_where_the_signal_interrupts():
    console = Recording()
    with stop_on_interrupt(console) as is_stopped:
        assert not is_stopped()
        signal.raise_signal(signal.SIGINT)
        assert is_stopped()
    assert console.lines == ["Stopping after this step; press Ctrl-C again to stop without saving"]
    assert main_thread() not in console.threads


def test_the_second_one_stops_at_once():
    console, before = Recording(), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), stop_on_interrupt(console):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert len(console.lines) == 1 and signal.getsignal(signal.SIGINT) == before


def test_without_one_nothing_is_printed():
    console = Recording()
    with stop_on_interrupt(console) as is_stopped:
        assert not is_stopped()
    assert not console.lines
