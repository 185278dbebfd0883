"""An amount of memory as text, such as the memory of a GPU: ``24GB``, ``16GiB``."""

import re

from verydeep.errors import ArchitectureError

DEFAULT_LIMIT = "24GB"

_UNITS = {
    "": 10**9, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9, "t": 10**12, "tb": 10**12,
    "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip


def memory_limit(text: str) -> int:
    """``24GB``, ``24 GB``, ``24`` or ``22.5GiB`` in bytes.

    Raises:
        ArchitectureError: if ``text`` is not an amount of memory.
    """
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]+)?) ?([a-z]*)", text.strip().lower())
    size = round(float(match[1]) * _UNITS[match[2]]) if match and match[2] in _UNITS else 0
    if size == 0:
        raise ArchitectureError(f"--memory is {text!r}; expected an amount such as 24GB, 16GiB or 800MB")
    return size
