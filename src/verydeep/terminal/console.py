"""Output of the command: results on stdout, messages on stderr."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console

START = time.perf_counter()
"""When the command started."""


def out() -> Console:
    """Stdout, for results."""
    return Console(highlight=False, emoji=False)


def err() -> Console:
    """Stderr, for messages."""
    return Console(stderr=True, highlight=False, emoji=False)


def print_json(values: Mapping[str, Any] | list[Any]) -> None:
    """One JSON value on stdout, nothing else."""
    import json  # 2 ms that a table does not need

    out().out(json.dumps(values))


def print_message(message: str) -> None:
    """``message`` on stderr, without markup or wrapping."""
    err().print(message, markup=False, soft_wrap=True)


def print_error(message: str, title: str = "Error") -> None:
    """``message`` on stderr after a red ``title``."""
    err().print(f"[bold red]{title}:[/] ", end="")
    print_message(message)
