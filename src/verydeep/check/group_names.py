"""What names give away: files that look like parts of one thing, and folders that look like one class."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_ENDS_IN_NUMBER = r"([^/]*[^/0-9])[0-9]+[^/0-9]*$"
"""All before the last number of a file's name."""


@dataclass(frozen=True)
class GroupProposal:
    """A pattern for ``--group-by``, and what it would group."""

    pattern: str
    groups: tuple[str, ...]
    """Of each image."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Images of each group, the smallest first."""
        return tuple(sorted(Counter(self.groups).values()))

    def __str__(self) -> str:
        sizes = self.sizes
        return f"{len(sizes):,} groups of {sizes[0]:,} to {sizes[-1]:,} images"


def propose_groups(names: Sequence[str], classes: int) -> GroupProposal | None:
    """The groups that file names show, if they show any: names that are alike up to their last number.

    ``BloodImage_00012_03.jpg`` is of the group ``BloodImage_00012``. None where this would put nearly every
    image in a group of its own, or hardly part them, as where names are a class and a number.

    Args:
        names: of the images, paths below the folder.
        classes: how many there are.
    """
    found = [re.search(_ENDS_IN_NUMBER, name) for name in names]
    groups = [match[1] if match else None for match in found]
    sizes = Counter(groups)
    if None in sizes or not _tells(sizes, len(names), classes):
        return None
    wanted = _partition(groups)
    for pattern in (*_readable(names), _ENDS_IN_NUMBER):
        matches = [re.search(pattern, name) for name in names]
        given = [match[1] if match.re.groups else match[0] for match in matches if match]
        if len(given) == len(names) and _partition(given) == wanted:
            return GroupProposal(pattern, tuple(given))
    return None


def _tells(sizes: Counter[str | None], images: int, classes: int) -> bool:
    """Whether groups are more than classes, and larger than single images."""
    return len(sizes) > 2 * classes and images >= 1.5 * len(sizes) and 3 * max(sizes.values()) <= images


def _readable(names: Sequence[str]) -> list[str]:
    """Patterns a person would write, where all files are named after one scheme."""
    schemes = {re.sub("[0-9]+", "0", PurePosixPath(name).stem) for name in names}
    if len(schemes) > 1:
        return []
    words = schemes.pop().split("0")[:-1]  # what stands before each number
    scheme = "[0-9]+".join(re.escape(word).replace(r"\-", "-") for word in words[:-1]) + "[0-9]+"
    return [scheme, f"(?:^|/)({scheme})[^/]*$"]


def _partition(groups: Sequence[str | None]) -> list[int]:
    """Each image's group as the place where that group first comes."""
    places: dict[str | None, int] = {}
    return [places.setdefault(group, place) for place, group in enumerate(groups)]


def same_name(classes: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Classes whose names differ in case, blanks, hyphens or underscores only."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in classes:
        alike[re.sub(r"[\s_\-]+", "", name).casefold()].append(name)
    return tuple(tuple(each) for each in alike.values() if len(each) > 1)
