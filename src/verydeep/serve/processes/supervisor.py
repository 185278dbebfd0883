"""Several processes that serve one port: starts them, starts again one that dies, and stops all of them.

The kernel distributes the connections, not the requests, among the sockets that listen on the port. The
parent keeps these sockets open too, so connections to a process that died wait for the next one.
"""

import multiprocessing
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

from verydeep.errors import VeryDeepError
from verydeep.serve.logs import LOGGER
from verydeep.serve.metrics import QUEUE, READY
from verydeep.serve.processes.child import Serve, serve_in_child
from verydeep.serve.processes.counts import Counts, shared_counts

MAX_DEATHS, DEATH_SECONDS = 6, 60.0
"""As many processes that die in this time mean that starting again does not help."""
MAX_FAILED_STARTS = 2
"""Likewise, processes in a row that end before they could answer."""
STOP_SECONDS = 10.0
"""How long a process may take to end after its last request."""
_POLL_SECONDS = 0.05
_ADVICE = (
    "Its error is above, if it had one; -9 often means that there is too little memory: try a smaller number "
    "for --processes"
)


def supervise(
    listeners: Sequence[socket.socket], serve: Serve, request_seconds: float, on_ready: Callable[[], None]
) -> int:
    """Serve with one process for each of ``listeners`` until SIGTERM or Ctrl-C; the exit code of the server.

    Args:
        listeners: sockets of one port; they are closed at the end.
        serve: what a process does with its socket and its counts; it is pickled.
        request_seconds: in which a process answers its last requests.
        on_ready: called once, when all processes can answer.

    Raises:
        VeryDeepError: if processes die again and again, or one is killed at its start.
    """
    with _stop_signals() as stop:
        processes = _Processes(listeners, serve, stop)
        try:
            code = processes.start()
            if code is None:
                on_ready()
                processes.watch()
        finally:
            stopped = processes.stop(request_seconds + STOP_SECONDS)
    return code or stopped


@contextmanager
def _stop_signals() -> Iterator[Connection]:
    """A connection with something to read after SIGTERM or Ctrl-C: it can be waited for beside processes."""
    reader, writer = multiprocessing.Pipe(duplex=False)

    def stop(number: int, frame: FrameType | None) -> None:
        writer.send(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield reader
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()


class _Processes:
    def __init__(self, listeners: Sequence[socket.socket], serve: Serve, stop: Connection) -> None:
        self._listeners, self._serve, self._stop = listeners, serve, stop
        self._memory: Any = shared_counts(len(listeners))
        self._processes: list[SpawnProcess] = []

    def start(self) -> int | None:
        """Start all; None once they can answer, or the exit code where they cannot (``_code_until_ready``).

        The first is awaited: where it fails, all would fail with the same message.

        Raises:
            VeryDeepError: if a process is killed.
        """
        for number in range(len(self._listeners)):
            self._processes.append(self._started(number))
            if number == 0 and (code := self._code_until_ready()) is not None:
                return code
        return self._code_until_ready()

    def watch(self) -> None:
        """Replace processes that die, until a signal.

        Raises:
            VeryDeepError: if it does not help.
        """
        deaths: deque[float] = deque(maxlen=MAX_DEATHS)
        failed_starts = 0
        while self._stop not in self._wait():
            for number, process in enumerate(self._processes):
                if process.exitcode is None:
                    continue
                deaths.append(time.monotonic())
                failed_starts = failed_starts + 1 if self._has_failed_to_start(number) else 0
                is_often = len(deaths) == MAX_DEATHS and deaths[-1] - deaths[0] < DEATH_SECONDS
                if is_often or failed_starts == MAX_FAILED_STARTS:
                    raise VeryDeepError(
                        "processes of the server end again and again, the last with "
                        f"{process.exitcode}. {_ADVICE}"
                    )
                fields = {"process": number, "ended_with": process.exitcode}
                LOGGER.warning("process restarted", extra={"fields": fields})
                counts = Counts(self._memory, number)
                counts.set(READY, 0)
                counts.set(QUEUE, 0)
                self._processes[number] = self._started(number)

    def _has_failed_to_start(self, number: int) -> bool:
        """Whether the process has ended by an error before it could answer."""
        return self._processes[number].exitcode != 0 and not Counts(self._memory, number).value(READY)

    def stop(self, seconds: float) -> int:
        """End all within ``seconds``; 1 if one had to be killed, or else 0."""
        for listener in self._listeners:
            listener.close()
        for process in self._processes:
            process.terminate()
        end, code = time.monotonic() + seconds, 0
        for process in self._processes:
            process.join(max(0.0, end - time.monotonic()))
            if process.exitcode is None:
                process.kill()
                process.join()
                code = 1
        return code

    def _started(self, number: int) -> SpawnProcess:
        """A process that serves at the socket ``number``; Ctrl-C does not reach it."""
        arguments = (self._serve, self._listeners[number], self._memory, number)
        process = multiprocessing.get_context("spawn").Process(
            target=serve_in_child, args=arguments, name=f"server {number}"
        )
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process inherits it
        try:
            process.start()
        finally:
            signal.signal(signal.SIGINT, before)
        return process

    def _code_until_ready(self) -> int | None:
        """Wait for those that are started: None once all can answer, 0 after a signal to stop, or the exit
        code of one that ended with an error of its own, at least 1.

        Raises:
            VeryDeepError: if one is killed.
        """
        while Counts(self._memory).sums()[READY] < len(self._processes):
            if self._stop in self._wait(_POLL_SECONDS):
                return 0
            codes = [process.exitcode for process in self._processes if process.exitcode is not None]
            if codes and codes[0] < 0:  # a signal, such as that of the kernel without memory: it says nothing
                raise VeryDeepError(f"a process of the server ended with {codes[0]} at its start. {_ADVICE}")
            if codes:
                return max(1, codes[0])
        return None

    def _wait(self, seconds: float | None = None) -> list[Any]:
        return wait([self._stop, *(process.sentinel for process in self._processes)], seconds)
