"""Where the command speaks: results on stdout, talk on stderr."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console

BEGAN = time.perf_counter()
"""When the command began."""


def out() -> Console:
    """For what can be piped."""
    return Console(highlight=False, emoji=False)


def err() -> Console:
    """For people."""
    return Console(stderr=True, highlight=False, emoji=False)


def print_json(values: Mapping[str, Any] | list[Any]) -> None:
    """One JSON value on stdout, nothing else."""
    import json  # 2 ms that a table should not pay

    out().out(json.dumps(values))


def say_error(message: str, title: str = "Error") -> None:
    """``message`` on stderr, as it is: no markup, no wrapping inside a pipe."""
    err().print(f"[bold red]{title}:[/] ", end="")
    err().print(message, markup=False, soft_wrap=True)
