"""Output of the command: results on stdout, messages on stderr."""

import codecs
import os
import sys
import time
from collections.abc import Iterable, Mapping
from io import TextIOWrapper
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from verydeep.foreign_text import terminal_text

START = time.perf_counter()
"""When the command started."""


PIPE_CLOSED = 141
"""The exit code when the reader of stdout is gone, as in ``| head``: that of a program ended by SIGPIPE."""


class _SafeConsole(Console):
    """A console that shows text as it is: no markup, no control characters, whatever is printed."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich does, with the text of every segment escaped."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=terminal_text(segment.text))

    def render_str(self, text: str, **options: Any) -> Text:
        """Escaped first, because rich drops some control characters without a trace."""
        return super().render_str(terminal_text(text), **options)

    def on_broken_pipe(self) -> None:
        """Without a reader of stdout there is nothing more to do; without one of stderr, work goes on."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        if not self.stderr:
            raise SystemExit(PIPE_CLOSED)


def out() -> Console:
    """Stdout, for results."""
    return _SafeConsole(highlight=False, emoji=False, markup=False)


def err() -> Console:
    """Stderr, for messages.

    Only a real terminal gets bars: FORCE_COLOR, which Jupyter sets, would make each redraw of a bar a line.
    """
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return _SafeConsole(
        stderr=True, highlight=False, emoji=False, markup=False, force_terminal=None if is_terminal else False
    )


def silent() -> Console:
    """Shows nothing: for a rank that is not the first, which prints."""
    return _SafeConsole(quiet=True)


def accept_any_text() -> None:
    """Let stdout and stderr print any text: what their encoding lacks is replaced, and never an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_REPLACE)


_REPLACE = "verydeep.replace"
_SIMPLE_SIGNS = {
    "\N{NO-BREAK SPACE}": " ",
    "\N{EN DASH}": "-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{MIDDLE DOT}": "-",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{DEGREE SIGN}": " degrees",
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{BOX DRAWINGS LIGHT HORIZONTAL}": "-",
}
"""Our own signs in ASCII."""


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    replaced = (
        _SIMPLE_SIGNS.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in lacking
    )
    return "".join(replaced), error.end


codecs.register_error(_REPLACE, _replace)


def print_json(values: Mapping[str, Any] | list[Any]) -> None:
    """One JSON value on stdout, nothing else."""
    import json  # 2 ms that a table does not need

    out().out(json.dumps(values).replace("\x7f", r"\u007f"))  # the one control character that JSON leaves


def print_message(message: str) -> None:
    """``message`` on stderr, without markup or wrapping."""
    err().print(message, markup=False, soft_wrap=True)


def print_error(message: str, title: str = "Error") -> None:
    """``message`` on stderr after a red ``title``."""
    err().print(Text(f"{title}: ", "bold red"), end="")
    print_message(message)
