"""How images look, in few bits: a thumbnail, a perceptual hash of it, and which hashes are near each other.

The hash picks candidates, the thumbnail decides. Measured on 4,886 crops of blood cells, which all look
much alike: the hash alone calls 493 of 11.9 million pairs alike, the two together 18, and 17 of these are
the same cell to the eye (docs/data-check.md).
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8, UInt16, UInt64
from PIL import Image

SIDE = 16
"""Of a thumbnail, in px."""
NEAR = 11
"""Bits of 64 that may differ: 7 do at most in JPEGs saved again at quality 75; `near` needs the same time for
8 to 11."""
NEAR_TURNED = 7
"""The same for images that are mirrored or turned as well, where seven times as many pairs are tried."""

Thumbnails = UInt8[np.ndarray, "count 16 16 3"]
_GRAY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as Pillow's own
_BANDS, _BAND_BITS = 4, 16
_AT_ONCE = 1 << 18  # pairs that are looked at together: some 100 MB


def thumbnail(image: Image.Image) -> UInt8[np.ndarray, "16 16 3"]:
    """``image``, opaque and of 8 bits, as 16 x 16 px in RGB, each the mean of what it covers."""
    whole = image if image.mode in ("L", "RGB") else image.convert("RGB")
    small = whole.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(small.convert("RGB"))


def perceptual_hashes(thumbnails: Thumbnails) -> UInt64[np.ndarray, " count"]:
    """64 bits an image: the signs of the 64 slowest waves of its gray thumbnail, all but the mean.

    Zauner 2010, section 3.2.1 (pHash), with signs instead of a median and along the diagonals instead of a
    square, as JPEG orders its waves: neither brightness nor contrast changes a sign.
    """
    gray = thumbnails.astype(np.float32) @ _GRAY
    place = np.arange(SIDE, dtype=np.float32)
    waves = np.cos(np.pi * (2 * place + 1) * place[:, None] / (2 * SIDE))
    spectra = (waves @ gray @ waves.T).reshape(-1, SIDE * SIDE)
    down, right = np.indices((SIDE, SIDE)).reshape(2, -1)
    slowest = np.lexsort((down, down + right))[1:65]
    # Dealt to the bands in turn, so that each has slow and fast waves and tells as much as the others.
    dealt = slowest.reshape(-1, _BANDS).T.ravel()
    bits = spectra[:, dealt] > 1e-3 * SIDE
    return np.ascontiguousarray(np.packbits(bits, axis=1)).view(np.uint64).ravel()


def turned(thumbnails: Thumbnails) -> Iterator[tuple[str, Thumbnails]]:
    """``thumbnails`` as they stand, then mirrored and turned the seven other ways, each with its name."""
    for mirror in (False, True):
        facing = thumbnails[:, :, ::-1] if mirror else thumbnails
        for quarters in range(4):
            name = " and ".join(["mirrored"] * mirror + [f"turned by {90 * quarters}°"] * (quarters > 0))
            yield name, np.ascontiguousarray(np.rot90(facing, quarters, (1, 2)))


def near(
    hashes: UInt64[np.ndarray, " count"], others: UInt64[np.ndarray, " count"], bits: int
) -> Iterator[tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]]:
    """Places ``i < j`` where ``hashes[i]`` and ``others[j]`` differ in ``bits`` of 64 at most, by portions.

    By the pigeonhole: of four bands of 16 bits one differs in a quarter of them at most, so that only
    images in the same or a neighboring bucket of some band are compared (Norouzi et al. 2012, multi-index
    hashing). A pair may come more than once; those whose bands are equal come first.
    """
    mine, theirs = (
        np.ascontiguousarray(each).view(np.uint16).reshape(-1, _BANDS) for each in (hashes, others)
    )
    bands = [_Buckets(theirs[:, band]) for band in range(_BANDS)]
    for mask in _masks(bits // _BANDS):
        for band, buckets in enumerate(bands):
            for first, second in buckets.pairs(mine[:, band] ^ mask):
                alike = first < second
                first, second = first[alike], second[alike]
                close = np.bitwise_count(hashes[first] ^ others[second]) <= bits
                if close.any():
                    yield first[close], second[close]


def _masks(most: int) -> Iterator[np.uint16]:
    """Every way to change up to ``most`` of 16 bits, the least changes first."""
    for changed in range(most + 1):
        for places in combinations(range(_BAND_BITS), changed):
            yield np.uint16(sum(1 << place for place in places))


class _Buckets:
    """Places sorted by the 16 bits they have in one band."""

    def __init__(self, values: UInt16[np.ndarray, " count"]) -> None:
        self.order = np.argsort(values, kind="stable")
        self.counts = np.bincount(values, minlength=1 << _BAND_BITS)
        self.starts = self.counts.cumsum() - self.counts

    def pairs(
        self, wanted: UInt16[np.ndarray, " asking"]
    ) -> Iterator[tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]]:
        """Each place in ``wanted`` with each that lies in the bucket it asks for."""
        sizes = self.counts[wanted]
        asking = np.flatnonzero(sizes)
        ends = sizes[asking].cumsum()
        begin = 0
        while begin < len(asking):  # as many at once as memory is meant to hold, one at least
            done = ends[begin - 1] if begin else 0
            stop = max(begin + 1, int(np.searchsorted(ends, done + _AT_ONCE, side="right")))
            some = asking[begin:stop]
            first = np.repeat(some, sizes[some])
            within = np.arange(len(first)) - np.repeat(sizes[some].cumsum() - sizes[some], sizes[some])
            yield first, self.order[np.repeat(self.starts[wanted[some]], sizes[some]) + within]
            begin = stop


def blank(thumbnails: Thumbnails) -> Bool[np.ndarray, " count"]:
    """Which images are of one shade: their thumbnail varies by less than 2 of 255, and tells nothing."""
    spread: Float32[np.ndarray, "count 3"] = thumbnails.astype(np.float32).std((1, 2))
    is_blank: Bool[np.ndarray, " count"] = spread.max(1) < 2
    return is_blank


def similarity(one: Thumbnails, other: Thumbnails) -> Float32[np.ndarray, " count"]:
    """How alike pairs look, -1 to 1: the correlation of their colors, or of their grays where one is gray.

    Brightness and contrast do not count. Images of one shade correlate with nothing: 0.
    """
    one, other = _planes(one), _planes(other)
    gray = _is_gray(one) | _is_gray(other)
    in_gray = _correlation(*((_GRAY @ planes)[:, None] for planes in (one, other)))
    return np.where(gray, in_gray, _correlation(one, other))


def _planes(thumbnails: Thumbnails) -> Float32[np.ndarray, "count 3 pixels"]:
    """One channel after the other: ten times as fast to sum as pixel by pixel."""
    channels_first = thumbnails.transpose(0, 3, 1, 2).reshape(len(thumbnails), 3, SIDE * SIDE)
    return channels_first.astype(np.float32)


def _is_gray(planes: Float32[np.ndarray, "count 3 pixels"]) -> Bool[np.ndarray, " count"]:
    red, green, blue = (planes[:, channel] for channel in range(3))
    is_gray: Bool[np.ndarray, " count"] = np.maximum(abs(red - green), abs(green - blue)).max(1) <= 2
    return is_gray


def _correlation(
    one: Float32[np.ndarray, "count channels pixels"], other: Float32[np.ndarray, "count channels pixels"]
) -> Float32[np.ndarray, " count"]:
    """Of each pair, every channel from its own mean."""
    one, other = one - one.mean(2, keepdims=True), other - other.mean(2, keepdims=True)
    together, alone, apart = (
        np.einsum("ncp,ncp->n", first, second) for first, second in ((one, other), (one, one), (other, other))
    )
    correlation: Float32[np.ndarray, " count"] = together / np.sqrt(np.maximum(alone * apart, 1e-6))
    return correlation
