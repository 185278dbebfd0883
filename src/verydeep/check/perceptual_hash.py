"""Finds near duplicates: a thumbnail of each image, its perceptual hash (pHash), and pairs of similar hashes.

The hash finds candidates, and the thumbnail decides (docs/data-check.md).
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8, UInt16, UInt64
from PIL import Image

SIDE = 16
"""Of a thumbnail, in px."""
MAX_DISTANCE = 11
"""The Hamming distance (of 64 bits) up to which two images are candidates. JPEGs saved again at quality 75
differ by at most 7 bits; `near_pairs` takes the same time for 8 to 11."""
MAX_DISTANCE_ROTATED = 7
"""The same for rotated and mirrored images, where seven times as many pairs are compared."""

Thumbnails = UInt8[np.ndarray, "count 16 16 3"]
_GRAY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as in Pillow
_BANDS, _BAND_BITS = 4, 16
_CHUNK = 1 << 18  # pairs that are compared at once: about 100 MB


def thumbnail(image: Image.Image) -> UInt8[np.ndarray, "16 16 3"]:
    """``image``, opaque with 8 bits per channel, averaged to 16 x 16 px in RGB.

    The filter weighs by area, unlike a box of whole pixels: a resized image keeps its thumbnail.
    """
    full = image if image.mode in ("L", "RGB") else image.convert("RGB")
    small = full.resize((SIDE, SIDE), Image.Resampling.HAMMING, reducing_gap=3.0)
    return np.asarray(small.convert("RGB"))


def perceptual_hashes(thumbnails: Thumbnails) -> UInt64[np.ndarray, " count"]:
    """The perceptual hash of each image: the signs of 64 low-frequency DCT coefficients of the thumbnail.

    Zauner 2010, section 3.2.1 (pHash), on gray values, with signs instead of comparison with the median, and
    in the zigzag order of JPEG instead of a square, without the mean. Brightness and contrast change no sign.
    """
    gray = thumbnails.astype(np.float32) @ _GRAY
    frequency = np.arange(SIDE, dtype=np.float32)
    dct = np.cos(np.pi * (2 * frequency + 1) * frequency[:, None] / (2 * SIDE))
    spectra = (dct @ gray @ dct.T).reshape(-1, SIDE * SIDE)
    down, right = np.indices((SIDE, SIDE)).reshape(2, -1)
    lowest = np.lexsort((down, down + right))[1:65]
    # Interleaved, so that every band has low and high frequencies and the bands are equally informative.
    interleaved = lowest.reshape(-1, _BANDS).T.ravel()
    bits = spectra[:, interleaved] > 1e-3 * SIDE
    return np.ascontiguousarray(np.packbits(bits, axis=1)).view(np.uint64).ravel()


def orientations(thumbnails: Thumbnails) -> Iterator[tuple[str, Thumbnails]]:
    """``thumbnails``, then their seven rotated and mirrored versions, each with a description."""
    for mirror in (False, True):
        oriented = thumbnails[:, :, ::-1] if mirror else thumbnails
        for quarters in range(4):
            name = " and ".join(["mirrored"] * mirror + [f"rotated by {90 * quarters}°"] * (quarters > 0))
            yield name, np.ascontiguousarray(np.rot90(oriented, quarters, (1, 2)))


def near_pairs(
    hashes: UInt64[np.ndarray, " count"], others: UInt64[np.ndarray, " count"], max_distance: int
) -> Iterator[tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]]:
    """Indices ``i < j`` where ``hashes[i]`` and ``others[j]`` differ in ``max_distance`` of 64 bits or less.

    Multi-index hashing (Norouzi et al. 2012): by the pigeonhole principle, one of four bands of 16 bits
    differs in at most a quarter of the bits, so only images in the same or a neighboring bucket of a band are
    compared. The result comes in chunks and may repeat a pair; pairs with an equal band come first.
    """
    bands, other_bands = (
        np.ascontiguousarray(each).view(np.uint16).reshape(-1, _BANDS) for each in (hashes, others)
    )
    buckets_of_band = [_Buckets(other_bands[:, band]) for band in range(_BANDS)]
    for mask in _masks(max_distance // _BANDS):
        for band, buckets in enumerate(buckets_of_band):
            for first, second in buckets.pairs(bands[:, band] ^ mask):
                ordered = first < second
                first, second = first[ordered], second[ordered]
                close = np.bitwise_count(hashes[first] ^ others[second]) <= max_distance
                if close.any():
                    yield first[close], second[close]


def _masks(max_bits: int) -> Iterator[np.uint16]:
    """All 16-bit masks with up to ``max_bits`` bits, those with the fewest bits first."""
    for count in range(max_bits + 1):
        for positions in combinations(range(_BAND_BITS), count):
            yield np.uint16(sum(1 << position for position in positions))


class _Buckets:
    """Image indices sorted by the 16 bits of one band."""

    def __init__(self, values: UInt16[np.ndarray, " count"]) -> None:
        self.order = np.argsort(values, kind="stable")
        self.counts = np.bincount(values, minlength=1 << _BAND_BITS)
        self.starts = self.counts.cumsum() - self.counts

    def pairs(
        self, wanted: UInt16[np.ndarray, " queries"]
    ) -> Iterator[tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]]:
        """Each index of ``wanted`` with the index of every image in the wanted bucket."""
        sizes = self.counts[wanted]
        queries = np.flatnonzero(sizes)
        ends = sizes[queries].cumsum()
        begin = 0
        while begin < len(queries):  # as many as fit into a chunk, at least one
            done = ends[begin - 1] if begin else 0
            stop = max(begin + 1, int(np.searchsorted(ends, done + _CHUNK, side="right")))
            chunk = queries[begin:stop]
            first = np.repeat(chunk, sizes[chunk])
            offsets = np.arange(len(first)) - np.repeat(sizes[chunk].cumsum() - sizes[chunk], sizes[chunk])
            yield first, self.order[np.repeat(self.starts[wanted[chunk]], sizes[chunk]) + offsets]
            begin = stop


def is_blank(thumbnails: Thumbnails) -> Bool[np.ndarray, " count"]:
    """Which images have a single color: the standard deviation of their thumbnail is below 2 of 255."""
    deviation: Float32[np.ndarray, "count 3"] = thumbnails.astype(np.float32).std((1, 2))
    blank: Bool[np.ndarray, " count"] = deviation.max(1) < 2
    return blank


def similarity(one: Thumbnails, other: Thumbnails) -> Float32[np.ndarray, " count"]:
    """The similarity of pairs, -1 to 1: the correlation of their colors, or of gray values if one is gray.

    It does not depend on brightness and contrast. It is 0 for images of a single color.
    """
    one, other = _planes(one), _planes(other)
    gray = _is_gray(one) | _is_gray(other)
    in_gray = _correlation(*((_GRAY @ planes)[:, None] for planes in (one, other)))
    return np.where(gray, in_gray, _correlation(one, other))


def _planes(thumbnails: Thumbnails) -> Float32[np.ndarray, "count 3 pixels"]:
    """Channels first: ten times as fast to sum as channels last."""
    channels_first = thumbnails.transpose(0, 3, 1, 2).reshape(len(thumbnails), 3, SIDE * SIDE)
    return channels_first.astype(np.float32)


def _is_gray(planes: Float32[np.ndarray, "count 3 pixels"]) -> Bool[np.ndarray, " count"]:
    red, green, blue = (planes[:, channel] for channel in range(3))
    gray: Bool[np.ndarray, " count"] = np.maximum(abs(red - green), abs(green - blue)).max(1) <= 2
    return gray


def _correlation(
    one: Float32[np.ndarray, "count channels pixels"], other: Float32[np.ndarray, "count channels pixels"]
) -> Float32[np.ndarray, " count"]:
    """The correlation of each pair, with the mean of every channel subtracted."""
    one, other = one - one.mean(2, keepdims=True), other - other.mean(2, keepdims=True)
    covariance, variance, other_variance = (
        np.einsum("ncp,ncp->n", first, second) for first, second in ((one, other), (one, one), (other, other))
    )
    correlation: Float32[np.ndarray, " count"] = covariance / np.sqrt(
        np.maximum(variance * other_variance, 1e-6)
    )
    return correlation
