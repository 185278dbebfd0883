"""The names of the built-in data sets; ``builtin.py`` reads them."""

import re
from difflib import get_close_matches
from pathlib import Path

from verydeep.errors import DataError

NAMES = ("fashion-mnist", "cifar10", "cifar100", "synthetic")
"""The names that `load_dataset` accepts."""

_WORD = re.compile(r"[\w-]+")
"""Unlike a path with a slash, a list with its suffix, or a data set such as hf:owner/name."""
_OTHER_SPELLINGS = {"cifar-10": "cifar10", "cifar-100": "cifar100", "fashionmnist": "fashion-mnist"}


def is_builtin(name: str) -> bool:
    """Whether ``name`` is a built-in data set, in any spelling."""
    return canonical_name(name) in NAMES


def require_known(data: str) -> None:
    """Refuse a word such as ``mnist`` that is neither a built-in data set nor a folder or file.

    Raises:
        DataError: with the names of the built-in data sets.
    """
    if not is_builtin(data) and _WORD.fullmatch(data) and not Path(data).exists():
        close = get_close_matches(data.lower(), NAMES, n=1)
        hint = f". Did you mean {close[0]}?" if close else ""
        raise DataError(
            f"{data} is neither a folder nor a built-in data set; these are {', '.join(NAMES)}{hint}"
        )


def canonical_name(name: str) -> str:
    """``name`` as it is in ``NAMES``, where it is another spelling of one of them."""
    return _OTHER_SPELLINGS.get(name.lower(), name.lower())
