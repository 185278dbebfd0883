"""Groups of images that must stay on one side of a split: by a column, a pattern, or near duplicates."""

from dataclasses import replace
from pathlib import Path

from verydeep.check.check import check
from verydeep.data.open_images import read_samples
from verydeep.data.samples import Samples, grouped

DUPLICATES = "duplicates"
"""In the place of a pattern: near duplicates are one group."""


def read_grouped(place: str | Path, group_by: str | None = None) -> Samples:
    """The labeled images at ``place`` with their groups, still on disk.

    Args:
        place: what ``read_samples`` takes.
        group_by: what keeps images together that must not be split: a column, a pattern for the names,
            ``duplicates`` for near duplicates, or ``duplicates:`` and one of the others for both.

    Raises:
        DataError: where ``place`` holds no labeled images, or ``group_by`` does not fit all of them.
    """
    samples = read_samples(place)
    return group(samples, group_by) if group_by else samples


def group(samples: Samples, by: str) -> Samples:
    """``samples`` with the groups that ``by`` asks for, as ``read_grouped`` takes it.

    Raises:
        DataError: where ``by`` does not fit all of them.
    """
    looks, _, rest = by.partition(":")
    if looks != DUPLICATES or by in samples.columns:
        return grouped(samples, by)
    return near_duplicate_groups(grouped(samples, rest) if rest else samples)


def near_duplicate_groups(samples: Samples) -> Samples:
    """``samples`` grouped so that images that look the same are together.

    Where groups are there already, those that share an image are joined: cells of one photograph stay
    together, and so do two photographs of one place. Damaged images are for themselves.
    """
    before = samples.groups or samples.names
    keys = {group: place for place, group in reversed(list(enumerate(before)))}
    root = {group: group for group in keys}

    def find(group: str) -> str:
        while root[group] != group:
            root[group] = group = root[root[group]]
        return group

    for cluster in check(samples).duplicates.clusters:
        first, *rest = sorted({find(before[place]) for place in cluster}, key=keys.__getitem__)
        root |= dict.fromkeys(rest, first)
    return replace(samples, groups=tuple(find(group) for group in before))
