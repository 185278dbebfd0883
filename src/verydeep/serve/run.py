"""Runs the server until it is told to stop."""

import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from verydeep.errors import DataError, VeryDeepError
from verydeep.serve.app import application
from verydeep.serve.guard import Guard
from verydeep.serve.http_protocol import http_protocol
from verydeep.serve.limits import Limits
from verydeep.serve.metrics import Metrics
from verydeep.serve.served import ServedNetwork

BACKLOG, MAX_PORT = 2048, 65_535
MIN_TOKEN = 16
PROXY = "127.0.0.1"
"""From here only, X-Forwarded-For says who the client is: others could write anything there."""
SWITCH_SECONDS = 5e-4
"""How long a thread keeps the interpreter while others want it; Python has 5 ms, which delays answers."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at ``host`` and ``port``; with port 0, at a free one.

    Raises:
        DataError: if ``port`` is out of range.
        VeryDeepError: if it is in use, or ``host`` is not of this machine.
    """
    if not 0 <= port <= MAX_PORT:
        raise DataError(f"--port is {port}; expected 0 to {MAX_PORT}")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]
        raise VeryDeepError(
            f"cannot listen on {host}, port {port}: {reason}. Choose another with --port, such as --port 8001"
        ) from None


def read_token(path: Path) -> str:
    """The token in the file at ``path``.

    Raises:
        DataError: if it is too short, or no text in one line.
    """
    token = path.read_bytes().strip().decode("latin-1")
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise DataError(
            f"{path} has no token: expected one line of at least {MIN_TOKEN} ASCII characters, without "
            "spaces, such as `openssl rand -hex 32` prints"
        )
    return token


def server(served: ServedNetwork, limits: Limits, token: str | None = None) -> uvicorn.Server:
    """The server; ``run(sockets=[...])`` returns when SIGTERM or Ctrl-C has ended it.

    Raises:
        CheckpointError: if the network's temperature is not a valid number.
    """
    metrics = Metrics()
    app = application(served, limits, metrics, needs_token=token is not None)
    return _Server(
        uvicorn.Config(
            Guard(app, token, metrics),
            http=http_protocol(limits.header_seconds),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=True,
            forwarded_allow_ips=PROXY,
            server_header=False,
            h11_max_incomplete_event_size=limits.max_header_bytes,
            timeout_graceful_shutdown=round(limits.stop_seconds),
        )
    )


class _Server(uvicorn.Server):
    """uvicorn raises SIGTERM once more at its end, so that the process ends with -15; here it ends with 0."""

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal, or until ``should_exit`` is set."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            super().run(sockets)
        finally:
            sys.setswitchinterval(before)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and Ctrl-C."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        stops = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in stops}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
