"""Clusters of duplicates that do not chain: every image of a cluster is similar to the image at its center.

Joining all that are connected (single linkage) chains: each of 600 solar cells looks like the next one, and
the first like none of the last.
"""

from collections.abc import Callable, Sequence

import numpy as np

IsSimilar = Callable[[int, Sequence[int]], bool]
"""Whether an image, by its index, is similar to each of some others."""


class Clusters:
    """Clusters of indices. ``root`` has the smallest index of each index's cluster, always up to date."""

    def __init__(self, count: int) -> None:
        self.root = np.arange(count)
        self._members: dict[int, list[int]] = {}
        self._center: dict[int, int] = {}

    @property
    def sorted(self) -> tuple[tuple[int, ...], ...]:
        """The clusters of two or more, each sorted; the largest first."""
        members = (tuple(sorted(each)) for each in self._members.values())
        return tuple(sorted(members, key=lambda each: (-len(each), each)))

    def join(self, first: int, second: int, is_similar: IsSimilar | None = None) -> bool:
        """Join the clusters of two similar images; whether they are one cluster now and were two before.

        The center of the larger cluster stays, and clusters are joined only if it is similar to all images of
        the smaller one. Without ``is_similar`` they always are, as for the same bytes.
        """
        one, other = sorted((int(self.root[first]), int(self.root[second])))
        if one == other:
            return False
        of_one, of_other = self._members.get(one, [one]), self._members.get(other, [other])
        larger, smaller = (one, of_other) if len(of_one) >= len(of_other) else (other, of_one)
        center = self._center.get(larger, larger)
        are_single = len(of_one) == len(of_other) == 1
        if is_similar is not None and not are_single and not is_similar(center, smaller):
            return False
        self._members[one] = [*of_one, *of_other]
        self._members.pop(other, None)
        self._center[one] = center
        self.root[of_other] = one
        return True
