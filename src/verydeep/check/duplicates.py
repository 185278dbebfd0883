"""Finds duplicates and near duplicates (saved again, resized, mirrored or rotated), and their clusters."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Int64

from verydeep.check.perceptual_hash import (
    MAX_DISTANCE,
    MAX_DISTANCE_ROTATED,
    Thumbnails,
    is_blank,
    near_pairs,
    orientations,
    perceptual_hashes,
    similarity,
)

MIN_SIMILARITY = 0.92
"""Of near duplicates: crops of 2 % on all sides reach 0.94, while different blood cells rarely reach 0.92."""
_CHUNK = 1 << 14  # pairs of thumbnails that are compared at once, 100 MB as floats


@dataclass(frozen=True)
class DuplicatePair:
    """Two duplicate images; ``first`` and ``second`` are their indices."""

    first: int
    second: int
    similarity: float
    """Of their thumbnails, at most 1."""
    how: str
    """``same bytes``, ``near duplicate``, or the orientation, such as ``mirrored``."""


@dataclass(frozen=True)
class Duplicates:
    """Duplicates and near duplicates, as pairs and as clusters."""

    pairs: tuple[DuplicatePair, ...]
    """The pairs that connect the clusters, one fewer per cluster than its images; the most similar first."""
    clusters: tuple[tuple[int, ...], ...]
    """Indices of two or more images each, sorted; the largest cluster first."""


class _UnionFind:
    """Clusters of indices. ``root`` has the smallest index of each index's cluster, always up to date."""

    def __init__(self, count: int) -> None:
        self.root = np.arange(count)
        self.members: dict[int, list[int]] = {}

    def join(self, first: int, second: int) -> bool:
        """Join the clusters of two indices; whether they were different clusters before."""
        one, other = sorted((int(self.root[first]), int(self.root[second])))
        if one == other:
            return False
        moved = self.members.pop(other, [other])
        self.members.setdefault(one, [one]).extend(moved)
        self.root[moved] = one
        return True


def find_duplicates(
    digests: tuple[bytes, ...], thumbnails: Thumbnails, *, min_similarity: float = MIN_SIMILARITY
) -> Duplicates:
    """The duplicates by bytes, and the near duplicates by thumbnails, also mirrored or rotated by 90°.

    Images of a single color are compared only by their bytes, because their thumbnails all look alike.

    Args:
        digests: a hash of the content of each file.
        thumbnails: one per image, as ``perceptual_hash.thumbnail`` returns them.
        min_similarity: the similarity from which two images are near duplicates, at most 1.
    """
    clusters = _UnionFind(len(digests))
    pairs = _same_bytes(digests, clusters)
    unique = np.flatnonzero((clusters.root == np.arange(len(digests))) & ~is_blank(thumbnails))
    thumbnails = thumbnails[unique]
    hashes = perceptual_hashes(thumbnails)
    for orientation, oriented in orientations(thumbnails):
        max_distance = MAX_DISTANCE_ROTATED if orientation else MAX_DISTANCE
        for first, second in near_pairs(hashes, perceptual_hashes(oriented), max_distance):
            for start in range(0, len(first), _CHUNK):
                candidates = first[start : start + _CHUNK], second[start : start + _CHUNK]
                pairs += _near_duplicates(
                    thumbnails, oriented, unique, candidates, min_similarity, orientation, clusters
                )
    members = sorted((tuple(sorted(each)) for each in clusters.members.values()), key=lambda c: (-len(c), c))
    return Duplicates(tuple(sorted(pairs, key=lambda pair: -pair.similarity)), tuple(members))


def _same_bytes(digests: tuple[bytes, ...], clusters: _UnionFind) -> list[DuplicatePair]:
    indices: dict[bytes, list[int]] = {}
    for index, digest in enumerate(digests):
        indices.setdefault(digest, []).append(index)
    pairs = [pair for same in indices.values() for pair in pairwise(same)]
    for first, second in pairs:
        clusters.join(first, second)
    return [DuplicatePair(first, second, 1.0, "same bytes") for first, second in pairs]


def _near_duplicates(
    thumbnails: Thumbnails,
    oriented: Thumbnails,
    unique: Int64[np.ndarray, " unique"],
    candidates: tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]],
    min_similarity: float,
    orientation: str,
    clusters: _UnionFind,
) -> list[DuplicatePair]:
    """The candidates with similar thumbnails, except pairs that are already in one cluster."""
    first, second = candidates
    apart = clusters.root[unique[first]] != clusters.root[unique[second]]
    first, second = first[apart], second[apart]
    similarities = similarity(thumbnails[first], oriented[second])
    most_similar_first = np.argsort(-similarities, kind="stable").tolist()
    return [
        DuplicatePair(one, other, float(similarities[i]), orientation or "near duplicate")
        for i in most_similar_first
        if similarities[i] >= min_similarity
        and clusters.join(one := int(unique[first[i]]), other := int(unique[second[i]]))
    ]
