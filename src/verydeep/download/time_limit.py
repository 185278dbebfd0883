"""The time limit of a download, so that a server that sends almost nothing does not hold it forever."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from types import TracebackType

from verydeep.number_format import duration


@dataclass(frozen=True)
class Throughput:
    """The slowest download that is allowed."""

    grace: float = 30.0
    """Seconds in which no byte is required."""
    minimum: float = 10_000.0
    """Bytes per second on average afterwards; a file of 550 MB may take 15 hours."""


class TimeLimit:
    """Closes the connections of one download when its average throughput is too low.

    A timeout of a socket begins again with every byte, also inside the headers. This limit does not: it is
    ``grace + received / minimum`` seconds after its start, so a file of any size ends. A thread watches the
    connections; a read that waits for a closed one ends at once.
    """

    def __init__(self, slowest: Throughput) -> None:
        self.slowest = slowest
        self.is_exceeded = False
        self._start = time.monotonic()
        self._received = 0
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="download time limit", daemon=True)

    def __enter__(self) -> "TimeLimit":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finished.set()
        self._thread.join()
        if self._connection:
            self._connection.close()

    @property
    def text(self) -> str:
        """What was received in which time, and what was expected."""
        seconds = duration(time.monotonic() - self._start)
        minimum = f"{self.slowest.minimum / 1e3:,g} kB/s"
        return f"too slow: {self._received:,} bytes in {seconds}, at least {minimum} are expected"

    def extend(self, received: int) -> None:
        """Extend the limit, because ``received`` bytes of the file arrived."""
        self._received += received

    def watch(self, connection: socket.socket) -> None:
        """Close ``connection``, the only open one, when the limit is exceeded; the caller may wrap it."""
        with self._lock:
            if self._connection:
                self._connection.close()
            self._connection = connection.dup()  # stays valid when TLS wraps the original
            if self.is_exceeded:
                _shut_down(self._connection)

    def _watch(self) -> None:
        while (remaining := self._remaining()) > 0:
            if self._finished.wait(remaining):
                return
        with self._lock:
            self.is_exceeded = True
            if self._connection:
                _shut_down(self._connection)

    def _remaining(self) -> float:
        limit = self.slowest.grace + self._received / self.slowest.minimum
        return self._start + limit - time.monotonic()


def _shut_down(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is already closed by the other side
        connection.shutdown(socket.SHUT_RDWR)
