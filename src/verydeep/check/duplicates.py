"""Finds duplicates and near duplicates (saved again, resized, mirrored or rotated), and their clusters."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float32, Int64

from verydeep.check.clusters import Clusters
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
from verydeep.check.usual_distance import duplicate_distances

MIN_SIMILARITY = 0.92
"""Of near duplicates, which must also stand out from what is usual in the data set."""
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


PLAIN = "near duplicate"
"""``DuplicatePair.how`` of near duplicates that are neither mirrored nor rotated."""


def find_duplicates(
    digests: tuple[bytes, ...], thumbnails: Thumbnails, *, min_similarity: float = MIN_SIMILARITY
) -> Duplicates:
    """The duplicates by bytes, and the near duplicates by thumbnails, also mirrored or rotated by 90°.

    Near duplicates are at least ``min_similarity`` similar, and nearer to each other than two different
    images of this data set are by chance (``usual_distance.py``). Images of a single color are compared only
    by their bytes, because their thumbnails all look alike.

    Args:
        digests: a hash of the content of each file.
        thumbnails: one per image, as ``perceptual_hash.thumbnail`` returns them.
        min_similarity: the similarity from which two images are near duplicates, at most 1.
    """
    clusters = Clusters(len(digests))
    pairs = _same_bytes(digests, clusters)
    unique = np.flatnonzero((clusters.root == np.arange(len(digests))) & ~is_blank(thumbnails))
    images = _Images(thumbnails, unique, duplicate_distances(thumbnails[unique]), min_similarity)
    hashes = perceptual_hashes(thumbnails[unique])
    for orientation, oriented in orientations(thumbnails[unique]):
        max_distance = MAX_DISTANCE_ROTATED if orientation else MAX_DISTANCE
        for first, second in near_pairs(hashes, perceptual_hashes(oriented), max_distance):
            for start in range(0, len(first), _CHUNK):
                candidates = first[start : start + _CHUNK], second[start : start + _CHUNK]
                pairs += _near_duplicates(images, oriented, candidates, orientation, clusters)
    return Duplicates(tuple(sorted(pairs, key=lambda pair: -pair.similarity)), clusters.sorted)


@dataclass(frozen=True, eq=False)
class _Images:
    """What near duplicates are searched in."""

    thumbnails: Thumbnails
    """Of all images."""
    unique: Int64[np.ndarray, " unique"]
    """The indices of those that are compared: one for each content, none of a single color."""
    distances: Float32[np.ndarray, " unique"]
    """Up to which another image stands out."""
    min_similarity: float

    def is_similar(self, center: int, others: Sequence[int]) -> bool:
        """Whether the image ``center`` is similar to all ``others``, in any orientation; indices of all."""
        one, rest = self.thumbnails[[center]], self.thumbnails[list(others)]
        best = np.max(
            [similarity(np.repeat(each, len(rest), 0), rest) for _, each in orientations(one)], axis=0
        )
        return bool((best >= self.min_similarity).all())


def _same_bytes(digests: tuple[bytes, ...], clusters: Clusters) -> list[DuplicatePair]:
    indices: dict[bytes, list[int]] = {}
    for index, digest in enumerate(digests):
        indices.setdefault(digest, []).append(index)
    pairs = [pair for same in indices.values() for pair in pairwise(same)]
    for first, second in pairs:
        clusters.join(first, second)
    return [DuplicatePair(first, second, 1.0, "same bytes") for first, second in pairs]


def _near_duplicates(
    images: _Images,
    oriented: Thumbnails,
    candidates: tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]],
    orientation: str,
    clusters: Clusters,
) -> list[DuplicatePair]:
    """The candidates with similar thumbnails that stand out, and whose clusters can be joined."""
    unique = images.unique
    first, second = candidates
    apart = clusters.root[unique[first]] != clusters.root[unique[second]]
    first, second = first[apart], second[apart]
    similarities = similarity(images.thumbnails[unique[first]], oriented[second])
    stands_out = 1 - similarities <= np.minimum(images.distances[first], images.distances[second])
    wanted = np.flatnonzero(stands_out & (similarities >= images.min_similarity))
    most_similar_first = wanted[np.argsort(-similarities[wanted], kind="stable")].tolist()
    return [
        DuplicatePair(one, other, float(similarities[i]), orientation or PLAIN)
        for i in most_similar_first
        if clusters.join(one := int(unique[first[i]]), other := int(unique[second[i]]), images.is_similar)
    ]
