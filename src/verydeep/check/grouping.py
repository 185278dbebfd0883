"""Groups of images that a split must not divide (data leakage): by a column, a pattern, or duplicates."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from verydeep.check.check import CheckResult, check_images
from verydeep.errors import DataError
from verydeep.image_sources.open_images import read_samples
from verydeep.image_sources.samples import Samples, grouped

Check = Callable[[Samples], CheckResult]
"""Finds the near duplicates: ``check_images``, with its options bound where they are not the default."""
DUPLICATES = "duplicates"
"""The value instead of a pattern that groups near duplicates."""
MAX_GROUP = 0.5
"""The largest share of the images that one group of near duplicates may have."""


def read_grouped(location: str | Path, group_by: str | None = None, check: Check = check_images) -> Samples:
    """The labeled images at ``location`` with their groups; their files are not read, except for duplicates.

    Args:
        location: as for ``read_samples``.
        group_by: the images that a split must keep together: a column, a pattern for the names,
            ``duplicates`` for near duplicates, or ``duplicates:`` and a column or pattern for both.
        check: finds near duplicates; called for these alone.

    Raises:
        DataError: if there are no labeled images, or ``group_by`` does not fit all of them.
    """
    samples = read_samples(location)
    return group(samples, group_by, check) if group_by else samples


def group(samples: Samples, by: str, check: Check = check_images) -> Samples:
    """``samples`` with the groups of ``by``, as for ``read_grouped``.

    Raises:
        DataError: if ``by`` does not fit all images, or puts most of them into one group of duplicates.
    """
    prefix, _, rest = by.partition(":")
    if prefix != DUPLICATES or by in samples.columns:
        return grouped(samples, by)
    return near_duplicate_groups(grouped(samples, rest) if rest else samples, check)


def near_duplicate_groups(samples: Samples, check: Check = check_images) -> Samples:
    """``samples`` grouped so that near duplicates are in one group.

    Existing groups that share a near duplicate are joined: all cells of one photograph stay together, and so
    do two photographs of the same place. Each unreadable image keeps its own group.

    Raises:
        DataError: if one group has most of the images, so that a split would be none any more.
    """
    before = samples.groups or tuple(samples.names)
    first_index = {group: index for index, group in reversed(list(enumerate(before)))}
    root = {group: group for group in first_index}

    def find(group: str) -> str:
        while root[group] != group:
            root[group] = group = root[root[group]]
        return group

    for cluster in check(samples).duplicates.clusters:
        first, *rest = sorted({find(before[index]) for index in cluster}, key=first_index.__getitem__)
        root |= dict.fromkeys(rest, first)
    groups = tuple(find(group) for group in before)
    _require_divisible(samples, before, groups)
    return replace(samples, groups=groups)


def _require_divisible(samples: Samples, before: tuple[str, ...], groups: tuple[str, ...]) -> None:
    largest = max(Counter(groups).values())
    if largest > max(MAX_GROUP * len(groups), *Counter(before).values()):
        raise DataError(
            f"grouping by duplicates puts {largest:,} of the {len(groups):,} images of {samples.name} into "
            "one group, which leaves nothing to split: they are copies of one image, or joined by their "
            "groups. Leave duplicates out of --group-by, and look at them with `verydeep data check "
            "FOLDER --out check.html`"
        )
