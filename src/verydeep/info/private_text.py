"""Paths and messages without the name of their user, to be shown in public."""

import re
from contextlib import suppress
from getpass import getuser
from pathlib import Path


def public_path(path: Path) -> str:
    """``path`` with ``~`` for the home folder, and ``USER`` for the name of the user elsewhere in it."""
    return public_text(str(path))


def public_text(text: str) -> str:
    """``text`` with ``~`` for the home folder, and ``USER`` for the name of the user, wherever they are."""
    with suppress(RuntimeError):  # a machine without home folders
        text = _replaced(text, str(Path.home()), "~")
    with suppress(OSError, KeyError, ImportError):  # a user without a name, as in a container
        text = _replaced(text, getuser(), "USER")
    return text


def _replaced(text: str, name: str, public: str) -> str:
    """``text`` with ``public`` for ``name``, but not for a part of a longer name."""
    return re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", public, text)
