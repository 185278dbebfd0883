"""Examines every image: decodes it, reads its properties and makes its thumbnail, in several threads."""

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
from verydeep.decoding.decode import PIXEL_LIMIT, load_image, open_image
from verydeep.errors import UnreadableError
from verydeep.foreign_text import one_line
from verydeep.image_sources.image_source import ImageSource, UnreadableImage
from verydeep.machine import usable_cores

_CHUNK = 32  # images per task: one task per image would have too much overhead
_FORMAT_SUFFIXES = {
    "AVIF": (".avif", ".avifs"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "HEIF": (".heic", ".heif", ".hif"),
    "JPEG": (".jpg", ".jpeg", ".jfif", ".jpe"),
    "MPO": (".jpg", ".jpeg", ".jfif", ".jpe", ".mpo"),  # two JPEGs in one file, as some cameras write them
    "PNG": (".png", ".apng"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}


@dataclass(frozen=True, eq=False, slots=True)
class ImageFacts:
    """The properties of an image."""

    width: int
    """In px, upright."""
    height: int
    file_format: str
    kind: str
    """``gray``, ``color``, ``palette``, ``alpha``, ``CMYK``, ``16-bit`` or ``black and white``."""
    is_rotated: bool
    """Whether its EXIF orientation rotates or mirrors it."""
    is_animated: bool
    """Whether it has several frames or pages; only the first is used."""
    peak: int
    """The greatest value of a pixel after decoding, from 0 to 255; reduced JPEGs average it slightly."""
    digest: bytes
    """A hash of the content of the file."""
    thumbnail: UInt8[np.ndarray, "16 16 3"]


def examine(source: ImageSource, *, pixel_limit: int = PIXEL_LIMIT) -> ImageFacts | UnreadableImage:
    """The properties of an image, which is decoded completely, or why it cannot be read."""
    name = one_line(str(source))
    try:
        content = _content(source)
        with open_image(content, name, pixel_limit) as opened:
            return _facts(opened, name, blake2b(content, digest_size=16).digest())
    except UnreadableError as error:
        return UnreadableImage.from_error(source, error)


def _content(source: ImageSource) -> bytes:
    try:
        return source.read_bytes() if isinstance(source, Path) else source.read()
    except UnreadableError:
        raise
    except Exception as error:  # a shard or a table raises the errors of its library
        why = getattr(error, "strerror", None) or error
        raise UnreadableError(f"{one_line(str(source))} cannot be read: {why}", "missing") from error


def _facts(opened: Image.Image, name: str, digest: bytes) -> ImageFacts:
    size, kind, is_animated = opened.size, _kind(opened), bool(getattr(opened, "is_animated", False))
    # A JPEG is read to its end, but decoded at the lowest resolution that a thumbnail needs. This finds the
    # same corrupt files as full decoding (a test compares them), in half the time.
    opened.draft(None, (4 * SIDE, 4 * SIDE))
    orientation = opened.getexif().get(ExifTags.Base.Orientation, 1)
    width, height = reversed(size) if orientation in (5, 6, 7, 8) else size
    image = load_image(opened, name)
    return ImageFacts(
        width=width, height=height, file_format=opened.format or "", kind=kind,
        is_rotated=orientation in range(2, 9), is_animated=is_animated,
        peak=_peak(image), digest=digest, thumbnail=thumbnail(image),
    )  # fmt: skip


def _peak(image: Image.Image) -> int:
    return int(np.max(image.getextrema()))


def _kind(image: Image.Image) -> str:
    if image.mode.startswith("I"):
        return "16-bit"
    if image.has_transparency_data:
        return "alpha"
    return {"1": "black and white", "L": "gray", "P": "palette", "CMYK": "CMYK"}.get(image.mode, "color")


def has_wrong_suffix(source: ImageSource, facts: ImageFacts) -> bool:
    """Whether the suffix of the file belongs to another format."""
    suffixes = _FORMAT_SUFFIXES.get(facts.file_format)
    return isinstance(source, Path) and suffixes is not None and source.suffix.lower() not in suffixes


def examine_all(
    sources: Sequence[ImageSource], *, workers: int | None = None, pixel_limit: int = PIXEL_LIMIT
) -> Iterator[ImageFacts | UnreadableImage]:
    """``examine`` for every one of ``sources``, in order.

    Threads are enough, because Pillow releases the interpreter lock while it decodes. Only a few images are
    examined before the caller needs them.

    Args:
        sources: files, or entries of shards.
        workers: decoding threads; the number of usable cores by default.
        pixel_limit: images with more pixels are not decoded.
    """
    threads = workers or usable_cores()
    starts = iter(range(0, len(sources), _CHUNK))
    with ThreadPoolExecutor(threads) as pool:

        def submit(start: int) -> Future[list[ImageFacts | UnreadableImage]]:
            chunk = sources[start : start + _CHUNK]
            return pool.submit(lambda: [examine(each, pixel_limit=pixel_limit) for each in chunk])

        ahead = deque(map(submit, islice(starts, 2 * threads)))
        try:
            while ahead:
                yield from ahead.popleft().result()
                ahead.extend(map(submit, islice(starts, 1)))
        finally:
            pool.shutdown(cancel_futures=True)
