"""What runs in each process of a server."""

import socket
import sys
from collections.abc import Callable
from typing import Any

from verydeep.child_process import end_with_parent
from verydeep.serve.processes.counts import Counts

Serve = Callable[[socket.socket, Counts], int]
"""Serves at a socket that listens; returns the exit code of the process."""


def serve_in_child(serve: Serve, listener: socket.socket, memory: Any, number: int) -> None:
    """Serve until a signal, or until the parent is gone."""
    end_with_parent()
    sys.exit(serve(listener, Counts(memory, number)))
