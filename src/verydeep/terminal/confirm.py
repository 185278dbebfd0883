"""A question before something is deleted: asked on a terminal, answered by a flag elsewhere."""

import sys

from verydeep.errors import DataError
from verydeep.terminal.console import err


def confirm(question: str) -> bool:
    """Whether the person at the terminal answers the last line of ``question`` with yes; Enter alone is no.

    Raises:
        DataError: if nobody can answer.
    """
    if not sys.stdin or not sys.stdin.isatty():
        last_line = question.splitlines()[-1]
        raise DataError(f"add --yes: without a terminal, nobody can be asked: {last_line}")
    err().print(f"{question} [y/N] ", markup=False, end="", soft_wrap=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
