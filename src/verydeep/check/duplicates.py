"""Which images are the same one, saved again, resized, mirrored or taken twice; and the groups they make."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Int64

from verydeep.check.perceptual_hash import (
    NEAR,
    NEAR_TURNED,
    Thumbnails,
    blank,
    near,
    perceptual_hashes,
    similarity,
    turned,
)

LEAST_SIMILARITY = 0.92
"""Of near-duplicates: crops of 2 % less all round reach 0.94, other blood cells hardly ever 0.92."""
_VERIFIED_AT_ONCE = 1 << 14  # pairs of thumbnails, 100 MB as floats


@dataclass(frozen=True)
class Pair:
    """Two images that look the same; ``first`` and ``second`` are their places."""

    first: int
    second: int
    similarity: float
    """Of their thumbnails, up to 1."""
    how: str
    """``same bytes``, ``looks the same``, or how it is turned, as ``mirrored``."""


@dataclass(frozen=True)
class Duplicates:
    """Images that look the same, as clusters."""

    pairs: tuple[Pair, ...]
    """Those that hold the clusters together, one less a cluster than it has images; the most alike first."""
    clusters: tuple[tuple[int, ...], ...]
    """Places of two images or more, each in order, the largest cluster first."""


class _Forest:
    """Which places hang together. ``root`` has the least place of each one's tree, always up to date."""

    def __init__(self, count: int) -> None:
        self.root = np.arange(count)
        self.members: dict[int, list[int]] = {}

    def join(self, first: int, second: int) -> bool:
        """Whether the two were apart."""
        one, other = sorted((int(self.root[first]), int(self.root[second])))
        if one == other:
            return False
        moved = self.members.pop(other, [other])
        self.members.setdefault(one, [one]).extend(moved)
        self.root[moved] = one
        return True


def find_duplicates(
    digests: tuple[bytes, ...], thumbnails: Thumbnails, *, least: float = LEAST_SIMILARITY
) -> Duplicates:
    """The images that are the same, by their bytes or by their looks; also mirrored, or turned by 90°.

    Images of one shade are the same by their bytes only, since they all look alike.

    Args:
        digests: a hash of what is in each file.
        thumbnails: of each image, as ``hashing.thumbnail`` makes them.
        least: similarity from which two images count as the same, up to 1.
    """
    forest = _Forest(len(digests))
    pairs = _same_bytes(digests, forest)
    unique = np.flatnonzero((forest.root == np.arange(len(digests))) & ~blank(thumbnails))
    looks = thumbnails[unique]
    hashes = perceptual_hashes(looks)
    for name, facing in turned(looks):
        bits = NEAR_TURNED if name else NEAR
        for first, second in near(hashes, perceptual_hashes(facing), bits):
            for start in range(0, len(first), _VERIFIED_AT_ONCE):
                some = slice(start, start + _VERIFIED_AT_ONCE)
                pairs += _verified(looks, facing, unique, (first[some], second[some]), least, name, forest)
    clusters = sorted((tuple(sorted(each)) for each in forest.members.values()), key=lambda c: (-len(c), c))
    return Duplicates(tuple(sorted(pairs, key=lambda pair: -pair.similarity)), tuple(clusters))


def _same_bytes(digests: tuple[bytes, ...], forest: _Forest) -> list[Pair]:
    places: dict[bytes, list[int]] = {}
    for place, digest in enumerate(digests):
        places.setdefault(digest, []).append(place)
    found = [pair for same in places.values() for pair in pairwise(same)]
    for first, second in found:
        forest.join(first, second)
    return [Pair(first, second, 1.0, "same bytes") for first, second in found]


def _verified(
    looks: Thumbnails,
    facing: Thumbnails,
    unique: Int64[np.ndarray, " unique"],
    candidates: tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]],
    least: float,
    name: str,
    forest: _Forest,
) -> list[Pair]:
    """The candidates that look the same too, of those that are not in one cluster yet."""
    first, second = candidates
    apart = forest.root[unique[first]] != forest.root[unique[second]]
    first, second = first[apart], second[apart]
    alike = similarity(looks[first], facing[second])
    chosen = [place for place in np.argsort(-alike, kind="stable").tolist() if alike[place] >= least]
    return [
        Pair(one, other, float(alike[place]), name or "looks the same")
        for place in chosen
        if forest.join(one := int(unique[first[place]]), other := int(unique[second[place]]))
    ]
