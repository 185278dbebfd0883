"""A suggestion for a mistyped path: ``solar`` for ``solr``, for every command and every message."""

import difflib
import re
import unicodedata
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from verydeep.user_path import user_path

LIKENESS = 0.6
"""Of two names, from 0 to 1, from which one may be meant by the other."""
MOST_NAMES = 10_000
"""Of a folder that are compared."""
OUTPUTS = ("--out", "--sort-into")
"""The flags whose path need not exist."""
SUGGESTS = "Did you mean"


def path_suggestion(message: str, arguments: Sequence[str]) -> str:
    """A sentence with the path that seems meant by an argument, to add to ``message``; else nothing.

    It is about the first argument that ``message`` names, that does not exist, and that is like the name of
    something that does.

    Args:
        message: of an error.
        arguments: of the command.
    """
    if SUGGESTS in message:
        return ""
    for given in _paths(arguments):
        if _names(message, given) and (near := near_path(user_path(given))):
            return f". {SUGGESTS} {near}?"
    return ""


def _paths(arguments: Sequence[str]) -> list[str]:
    """The arguments that may be paths of existing files."""
    paths = []
    for before, argument in zip(("", *arguments), arguments, strict=False):
        flag, _, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
        if flag not in OUTPUTS and not (before in OUTPUTS and not flag):
            paths.append(value)
            paths.append(value.rpartition(":")[0])  # cells.csv:label
    return [path for path in paths if path]


def _names(message: str, path: str) -> bool:
    texts = {path, str(Path(path)), str(user_path(path))}
    return any(re.search(rf"(?<![\w./\\-]){re.escape(text)}(?![\w-])", message) for text in texts)


def near_path(path: Path) -> Path | None:
    """An existing path whose names are like those of ``path``; None where there is none, or ``path`` exists.

    Case and Unicode normalization do not count.
    """
    try:
        if path.exists():
            return None
        corrected = _corrected(Path(path.anchor), path.relative_to(path.anchor).parts)
    except (OSError, ValueError):  # a folder that may not be read; a null character
        return None
    return corrected


def _corrected(base: Path, names: Sequence[str]) -> Path | None:
    for number, name in enumerate(names):
        if (base / name).exists():
            base = base / name
            continue
        near = _near_name(name, base)
        return None if near is None else _corrected(base / near, names[number + 1 :])
    return base


def _near_name(name: str, folder: Path) -> str | None:
    if not folder.is_dir():
        return None
    is_hidden = name.startswith(".")
    entries = islice(folder.iterdir(), MOST_NAMES)
    keys = {_key(entry.name): entry.name for entry in entries if entry.name.startswith(".") == is_hidden}
    near = difflib.get_close_matches(_key(name), keys, n=1, cutoff=LIKENESS)
    return keys[near[0]] if near else None


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
