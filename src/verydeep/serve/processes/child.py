"""What runs in each process of a server."""

import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from verydeep.serve.processes.counts import Counts

Serve = Callable[[socket.socket, Counts], int]
"""Serves at a socket that listens; returns the exit code of the process."""


def serve_in_child(serve: Serve, listener: socket.socket, memory: Any, number: int) -> None:
    """Serve until a signal, or until the parent is gone."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(serve(listener, Counts(memory, number)))


def _end_with_parent() -> None:
    """Stop as by SIGTERM where the parent was killed, so that no process is left alone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
