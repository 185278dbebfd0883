"""One data quality issue that a data check found, with its severity and the next step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from verydeep.check.check import CheckResult

Severity = Literal["error", "warning", "note"]
"""An error harms training or results, a warning may harm them, and a note is information."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A data quality issue."""

    kind: str
    """Its name in a few words, always the same, for programs."""
    severity: Severity
    message: str
    next_step: str
    """What to do about it."""
    files: tuple[tuple[str, ...], ...] = ()
    """The names of the images concerned, grouped where they belong together."""


def count_images(count: int, one: str = "", more: str = "") -> str:
    """``3 images``, followed by the verb in the singular or the plural."""
    return f"{counted(count, 'image')} {one if count == 1 else more}".rstrip()


def counted(count: int, noun: str) -> str:
    """``1 image`` or ``3 images``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def names_of(result: CheckResult, groups: Sequence[Sequence[int]]) -> tuple[tuple[str, ...], ...]:
    """The names of the images at the indices of each group."""
    return tuple(tuple(result.samples.names[index] for index in group) for group in groups)


def each_name(result: CheckResult, indices: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    """The names of the images at ``indices``, each by itself."""
    return names_of(result, [[index] for index in indices])
