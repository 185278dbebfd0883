"""Paths without the name of their user, to be shown in public."""

import re
from contextlib import suppress
from getpass import getuser
from pathlib import Path


def public_path(path: Path) -> str:
    """``path`` with ``~`` for the home folder, and ``USER`` for the name of the user elsewhere in it."""
    with suppress(ValueError, RuntimeError):  # a path outside of it; a machine without home folders
        return str("~" / path.relative_to(Path.home()))
    with suppress(OSError, KeyError, ImportError):  # a user without a name, as in a container
        return re.sub(rf"(?<![\w.-]){re.escape(getuser())}(?![\w.-])", "USER", str(path))
    return str(path)
