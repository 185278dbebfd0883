"""How near each image's neighbors usually are: what a near duplicate must stand out from.

Solar cells, digits or product photos look alike by nature, so a fixed similarity finds hundreds of pairs
among them. Near an image the number of other images within a distance grows as a power of that distance, with
the intrinsic dimension of the data set as exponent (Levina and Bickel 2004, eq. 4; Facco et al. 2017). The
distances of the 5th and the 10th neighbor tell how many images are as near as a given pair by chance.
"""

from dataclasses import dataclass
from math import log

import numpy as np
from jaxtyping import Float32, Int64

from verydeep.check.perceptual_hash import SIDE, Thumbnails

MIN_IMAGES = 20
"""With fewer images nothing is usual: every pair that is similar enough counts."""
SAME = 5e-4
"""The distance of thumbnails that show no difference: saved again at JPEG quality 75."""
_NEAR, _FAR = 5, 10  # neighbors: up to four copies of an image change neither the radius nor the exponent
_REFERENCES = 4096  # images that all are compared with; among more images a random sample of so many
_AT_ONCE = 1 << 22  # distances that are in memory at a time
_LEAST = 1e-7  # below it a distance is rounding


def duplicate_distances(thumbnails: Thumbnails) -> Float32[np.ndarray, " count"]:
    """For each image, the distance up to which another image is nearer than chance explains.

    A distance is 1 minus the similarity. Where all images were independent, about one pair of the whole data
    set would be that near.

    Args:
        thumbnails: one per image; those of a single color are to be left out.
    """
    count = len(thumbnails)
    if count < MIN_IMAGES:
        return np.full(count, np.inf, np.float32)
    usual = _usual_distances(thumbnails)
    radius, exponent = usual.far, usual.exponent
    share = (1 / (count * count * _FAR / usual.references)) ** (1 / exponent)
    limits: Float32[np.ndarray, " count"] = np.maximum(radius * np.float32(share), np.float32(SAME))
    return limits


@dataclass(frozen=True)
class _Usual:
    far: Float32[np.ndarray, " count"]
    """The distance of each image's 10th neighbor among the references."""
    exponent: float
    """Of the number of neighbors by their distance: half the intrinsic dimension."""
    references: int


def _usual_distances(thumbnails: Thumbnails) -> _Usual:
    vectors = _unit_vectors(thumbnails)
    chosen = _references(len(vectors))
    references = vectors[chosen]
    near, far = np.empty(len(vectors), np.float32), np.empty(len(vectors), np.float32)
    step = max(1, _AT_ONCE // len(references))
    for start in range(0, len(vectors), step):
        distances = 1 - vectors[start : start + step] @ references.T
        # An image is not its own neighbor.
        distances[np.arange(start, start + len(distances))[:, None] == chosen] = np.inf
        nearest = np.partition(distances, (_NEAR - 1, _FAR - 1), axis=1)
        near[start : start + step] = nearest[:, _NEAR - 1]
        far[start : start + step] = nearest[:, _FAR - 1]
    near, far = near.clip(_LEAST), far.clip(_LEAST)
    ratio = min(float(np.median(near / far)), 0.99)
    # The median of a beta distribution of 5 and 5 is 1/2: the 5th neighbor is at half the images of the 10th.
    return _Usual(far, log(0.5) / log(ratio), len(references))


def _references(count: int) -> Int64[np.ndarray, " references"]:
    if count <= _REFERENCES:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, _REFERENCES, replace=False))


def _unit_vectors(thumbnails: Thumbnails) -> Float32[np.ndarray, "count values"]:
    """Vectors whose products are ``perceptual_hash.similarity``, but for a gray image beside a color one."""
    planes = thumbnails.transpose(0, 3, 1, 2).reshape(len(thumbnails), 3, SIDE * SIDE).astype(np.float32)
    vectors = (planes - planes.mean(2, keepdims=True)).reshape(len(thumbnails), -1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Float32[np.ndarray, "count values"] = vectors / np.maximum(lengths, 1e-6)
    return units
