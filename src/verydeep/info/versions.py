"""The versions of the libraries that verydeep needs, and of the optional ones: from metadata, no imports."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from verydeep.distribution import distribution_name

FOR_DEVELOPERS = ("dev", "parity", "test")
"""Extras that no command needs."""
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)[^;]*(?:;.*\bextra == ['\"](?P<extra>[\w-]+)['\"])?")


@dataclass(frozen=True)
class Library:
    """A library that verydeep requires, or that one of its extras brings."""

    name: str
    version: str | None
    """None where it is not installed."""
    extra: str | None = None
    """The extra that brings it: ``pip install 'verydeep[EXTRA]'``; None for what is required."""


def installed_version(name: str) -> str | None:
    """The version of the package ``name``, such as ``2.13.0+cpu``; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def libraries() -> tuple[Library, ...]:
    """The required libraries, then those of each extra; empty where verydeep itself is not installed."""
    found = [Library(name, installed_version(name), extra) for name, extra in _requirements()]
    return tuple(sorted(found, key=lambda library: (library.extra or "", library.name)))


def _requirements() -> Iterator[tuple[str, str | None]]:
    """Each name with its extra."""
    name = distribution_name()
    for line in (requires(name) or []) if name else []:  # no name: run from its source
        match = _REQUIREMENT.match(line)
        if match and match["extra"] not in FOR_DEVELOPERS:
            yield match["name"], match["extra"]
