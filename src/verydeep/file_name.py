"""File names made of other texts, such as the name of a class or a data set, in any script."""

import unicodedata
from itertools import groupby

LONGEST = 200
"""Bytes of a name in UTF-8. File systems allow 255; the rest is for a number or a suffix after it."""
REFUSED = frozenset('<>:"/\\|?*')
"""The printable characters that a file system refuses."""
RESERVED = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)))
)
"""Names of devices on Windows, with any suffix."""
UNPRINTABLE = frozenset(("Cc", "Cs", "Cn", "Co", "Zl", "Zp"))
"""Unicode categories: control characters, undecodable bytes, unassigned and private ones, line breaks."""
BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Invisible marks that can make one name look like another."""


def file_name(text: str, default: str) -> str:
    """``text`` as the name of a file or folder: in NFC, and only what a file system refuses is replaced.

    Each run of characters that is refused becomes ``-``. A leading dot, which would hide the file, and the
    dots and spaces that Windows drops at the end are removed, the name of a device there gets a ``-`` before
    it, and a very long name is cut.

    Args:
        text: any text.
        default: the name where nothing of ``text`` remains.
    """
    runs = groupby(unicodedata.normalize("NFC", text), _is_refused)
    name = "".join("-" if is_refused else "".join(run) for is_refused, run in runs)
    shortened = name.encode()[:LONGEST].decode(errors="ignore")
    stripped = shortened.strip(". ")
    if stripped.partition(".")[0].rstrip().lower() in RESERVED:
        stripped = f"-{stripped}"
    return stripped if stripped.strip("-") else default


def _is_refused(character: str) -> bool:
    is_unprintable = unicodedata.category(character) in UNPRINTABLE
    return is_unprintable or character in REFUSED or character in BIDIRECTIONAL


def same_name(text: str) -> str:
    """A key that is equal for names that some file system takes for one: normalization and case differ."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
