"""Clients that each send an image, wait for the answer, and send the next; in one thread."""

import re
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def upload(file: Path, path: str) -> bytes:
    """A request to ``path`` with ``file`` as multipart/form-data."""
    part = b'--limit\r\nContent-Disposition: form-data; name="file"; filename="image.jpg"\r\n\r\n'
    body = part + file.read_bytes() + b"\r\n--limit--\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=limit\r\n"
    return (head + f"Content-Length: {len(body)}\r\n\r\n").encode() + body


@dataclass
class Load:
    """What came back."""

    latencies: list[float] = field(default_factory=list)
    """Seconds of each answer with status 200."""
    errors: int = 0
    seconds: float = 0.0
    """From the first request to the last answer."""
    cpu_seconds: float = 0.0
    """Of the clients."""

    @property
    def rate(self) -> float:
        """Images per second."""
        return len(self.latencies) / self.seconds

    def add(self, other: "Load") -> None:
        """Add the answers of a second run."""
        self.latencies += other.latencies
        self.errors += other.errors
        self.seconds += other.seconds
        self.cpu_seconds += other.cpu_seconds


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent, self.received = 0.0, b""

    def send(self, request: bytes) -> None:
        self.sent, self.received = time.perf_counter(), b""
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status, once the answer is complete; 0 if the server has closed the connection."""
        chunk = self.socket.recv(65_536)
        if not chunk:
            return 0
        self.received += chunk
        end = self.received.find(b"\r\n\r\n")
        length = _LENGTH.search(self.received, 0, end) if end >= 0 else None
        if length is None or len(self.received) < end + 4 + int(length[1]):
            return None
        return int(self.received[9:12])


def run_clients(
    port: int, requests: Sequence[bytes], clients: int, seconds: float, on_answer: Callable[[], None]
) -> Load:
    """Send ``requests`` in turn from so many ``clients``, for so many ``seconds``."""
    load, waiting, todo = Load(), selectors.DefaultSelector(), cycle(requests)
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(clients):
        connection = _Connection(port)
        waiting.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(next(todo))
    while waiting.get_map():
        ready = waiting.select(60)
        if not ready:
            raise TimeoutError(f"no answer in 60 s from port {port}")
        for key, _ in ready:
            connection = key.data
            status = connection.receive()
            if status is None:
                continue
            now = time.perf_counter()
            if status == 200:
                load.latencies.append(now - connection.sent)
            else:
                load.errors += 1
            on_answer()
            if status and now < start + seconds:
                connection.send(next(todo))
            else:
                waiting.unregister(connection.socket)
                connection.socket.close()
    load.seconds, load.cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    return load
