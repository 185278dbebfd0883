"""Every image looked at once: decoded whole, measured, and made a thumbnail of; by several threads."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image

from verydeep.check.perceptual_hash import SIDE, thumbnail
from verydeep.data.decode import PIXEL_LIMIT, finished, open_image
from verydeep.data.samples import ImageSource
from verydeep.errors import Damage, UnreadableError

_AT_ONCE = 32  # images a task: one future each would cost more than it is worth
_FORMATS = {
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),  # two JPEGs in one file, as some cameras write them
    "PNG": (".png",),
    "PPM": (".ppm", ".pgm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}


@dataclass(frozen=True, eq=False, slots=True)
class ImageFacts:
    """What an image turned out to be."""

    width: int
    """In px, upright."""
    height: int
    file_format: str
    kind: str
    """``gray``, ``color``, ``palette``, ``alpha``, ``CMYK``, ``16-bit`` or ``black and white``."""
    is_turned: bool
    """Whether its EXIF data say that it lies on its side or its head."""
    is_animated: bool
    """Whether it has more frames, or pages, than the first, which is used."""
    digest: bytes
    """Of the file's bytes."""
    thumbnail: UInt8[np.ndarray, "16 16 3"]


@dataclass(frozen=True)
class Damaged:
    """An image that cannot be decoded."""

    kind: Damage
    why: str


def examine(source: ImageSource, *, pixel_limit: int = PIXEL_LIMIT) -> ImageFacts | Damaged:
    """``source`` decoded to its end, and what was seen."""
    try:
        content = source.read_bytes() if isinstance(source, Path) else source.read()
    except OSError as error:
        return Damaged("not there", f"{source} cannot be read: {error.strerror or error}")
    try:
        with open_image(content, str(source), pixel_limit) as opened:
            return _seen(opened, str(source), blake2b(content, digest_size=16).digest())
    except UnreadableError as error:
        return Damaged(error.kind, str(error))


def _seen(opened: Image.Image, name: str, digest: bytes) -> ImageFacts:
    size, kind, animated = opened.size, _kind(opened), bool(getattr(opened, "is_animated", False))
    # A JPEG is read to its end and its waves are decoded, but only as many turned into pixels as a thumbnail
    # needs: what is broken shows all the same, twice as fast (tests hold it to the whole decoding).
    opened.draft(None, (4 * SIDE, 4 * SIDE))
    orientation = opened.getexif().get(ExifTags.Base.Orientation, 1)
    width, height = reversed(size) if orientation in (5, 6, 7, 8) else size
    small = thumbnail(finished(opened, name))
    is_turned = orientation in range(2, 9)
    return ImageFacts(width, height, opened.format or "", kind, is_turned, animated, digest, small)


def _kind(image: Image.Image) -> str:
    if image.mode.startswith("I"):
        return "16-bit"
    if image.has_transparency_data:
        return "alpha"
    return {"1": "black and white", "L": "gray", "P": "palette", "CMYK": "CMYK"}.get(image.mode, "color")


def misnamed(source: ImageSource, seen: ImageFacts) -> bool:
    """Whether the file's suffix says another format than it has."""
    suffixes = _FORMATS.get(seen.file_format)
    return isinstance(source, Path) and suffixes is not None and source.suffix.lower() not in suffixes


def examine_all(
    sources: Sequence[ImageSource], *, workers: int | None = None, pixel_limit: int = PIXEL_LIMIT
) -> Iterator[ImageFacts | Damaged]:
    """Every one of ``sources``, in order.

    Threads serve, since Pillow lets go of the interpreter while it decodes; no file is read far ahead of the
    caller.

    Args:
        sources: files, or entries of shards.
        workers: threads that decode; the number of processors by default.
        pixel_limit: images with more pixels are not decoded.
    """
    threads = workers or os.cpu_count() or 1
    portions = iter(range(0, len(sources), _AT_ONCE))
    with ThreadPoolExecutor(threads) as pool:

        def submit(start: int) -> Future[list[ImageFacts | Damaged]]:
            return pool.submit(
                lambda: [examine(each, pixel_limit=pixel_limit) for each in sources[start : start + _AT_ONCE]]
            )

        ahead = deque(map(submit, islice(portions, 2 * threads)))
        try:
            while ahead:
                yield from ahead.popleft().result()
                ahead.extend(map(submit, islice(portions, 1)))
        finally:
            pool.shutdown(cancel_futures=True)
