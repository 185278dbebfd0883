"""Runs the server until it is told to stop."""

import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import uvicorn

from verydeep.errors import CheckpointError, VeryDeepError
from verydeep.serve.app import application
from verydeep.serve.guard import Guard
from verydeep.serve.http_protocol import http_protocol
from verydeep.serve.limits import Limits
from verydeep.serve.metrics import Metrics
from verydeep.serve.processes.counts import Counts
from verydeep.serve.served import ServedNetwork

PROXY = "127.0.0.1"
"""From here only, X-Forwarded-For says who the client is: others could write anything there."""
SWITCH_SECONDS = 5e-4
"""How long a thread keeps the interpreter while others want it; Python has 5 ms, which delays answers."""


def server(
    served: ServedNetwork, limits: Limits, token: str | None = None, counts: Counts | None = None
) -> uvicorn.Server:
    """The server; ``run(sockets=[...])`` returns when SIGTERM or Ctrl-C has ended it.

    Args:
        served: the network, which computes a first image here.
        limits: of this process.
        token: that requests need.
        counts: of this process, where there are several, of which the parent handles Ctrl-C.

    Raises:
        CheckpointError: if the network's temperature is not a valid number, or it cannot compute.
    """
    _warm_up(served)
    metrics = Metrics(counts or Counts())
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
        ),
        stops=(signal.SIGTERM,) if counts else (signal.SIGINT, signal.SIGTERM),
    )


def _warm_up(served: ServedNetwork) -> None:
    """Compute an image: the first one is slow in most runtimes, and shows whether the network works.

    Raises:
        CheckpointError: if it does not.
    """
    preprocess = served.network.preprocess
    image = np.zeros((1, preprocess.channels, preprocess.size, preprocess.size), np.uint8)
    try:
        served.network.logits(image)
    except VeryDeepError:
        raise
    except Exception as error:  # runtimes raise their own types
        raise CheckpointError(
            f"the network fails at its first image: {error}. Export it again; if the GPU is full, compute on "
            "the CPU (--device cpu)"
        ) from error


class _Server(uvicorn.Server):
    """uvicorn raises SIGTERM once more at its end, so that the process ends with -15; here it ends with 0."""

    def __init__(self, config: uvicorn.Config, stops: tuple[signal.Signals, ...]) -> None:
        super().__init__(config)
        self._stops = stops

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
        """Stop at the signals that are for this process."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in self._stops}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
