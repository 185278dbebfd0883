"""Finds groups in file names, and class folders with nearly the same name."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_ENDS_IN_NUMBER = r"([^/]*[^/0-9])[0-9]+[^/0-9]*$"
"""Everything before the last number of a file name."""


@dataclass(frozen=True)
class GroupProposal:
    """A pattern for ``--group-by``, and its groups."""

    pattern: str
    groups: tuple[str, ...]
    """The group of each image."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of images of each group, the smallest first."""
        return tuple(sorted(Counter(self.groups).values()))

    def __str__(self) -> str:
        sizes = self.sizes
        return f"{len(sizes):,} groups of {sizes[0]:,} to {sizes[-1]:,} images"


def propose_groups(names: Sequence[str], classes: int) -> GroupProposal | None:
    """The groups that the file names suggest: names that are the same up to their last number.

    ``BloodImage_00012_03.jpg`` is in the group ``BloodImage_00012``. None if nearly every image would be its
    own group, or the groups would be few, for example if a name is the class and a number.

    Args:
        names: the names of the images, paths below the folder.
        classes: the number of classes.
    """
    prefixes = [re.search(_ENDS_IN_NUMBER, name) for name in names]
    groups = [match[1] if match else None for match in prefixes]
    sizes = Counter(groups)
    if None in sizes or not _is_plausible(sizes, len(names), classes):
        return None
    expected = _partition(groups)
    for pattern in (*_simple_patterns(names), _ENDS_IN_NUMBER):
        matches = [re.search(pattern, name) for name in names]
        proposed = [match[1] if match.re.groups else match[0] for match in matches if match]
        if len(proposed) == len(names) and _partition(proposed) == expected:
            return GroupProposal(pattern, tuple(proposed))
    return None


def _is_plausible(sizes: Counter[str | None], images: int, classes: int) -> bool:
    """Whether there are clearly more groups than classes, and fewer groups than images."""
    return len(sizes) > 2 * classes and images >= 1.5 * len(sizes) and 3 * max(sizes.values()) <= images


def _simple_patterns(names: Sequence[str]) -> list[str]:
    """Patterns that are easy to read, if all file names follow one scheme."""
    schemes = {re.sub("[0-9]+", "0", PurePosixPath(name).stem) for name in names}
    if len(schemes) > 1:
        return []
    words = schemes.pop().split("0")[:-1]  # the text before each number
    scheme = "[0-9]+".join(re.escape(word).replace(r"\-", "-") for word in words[:-1]) + "[0-9]+"
    return [scheme, f"(?:^|/)({scheme})[^/]*$"]


def _partition(groups: Sequence[str | None]) -> list[int]:
    """The group of each image as the index of the first image of that group."""
    first: dict[str | None, int] = {}
    return [first.setdefault(group, index) for index, group in enumerate(groups)]


def similar_names(classes: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Classes whose names differ only in case, spaces, hyphens or underscores."""
    similar: dict[str, list[str]] = defaultdict(list)
    for name in classes:
        similar[re.sub(r"[\s_\-]+", "", name).casefold()].append(name)
    return tuple(tuple(each) for each in similar.values() if len(each) > 1)
