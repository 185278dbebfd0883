"""Decodes image files of the common formats: upright by EXIF, 8 bits, at the input size of the network.

The pixels are numpy arrays, so that an exported network classifies images without torch.
"""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from verydeep.architecture.preprocess import Preprocess
from verydeep.decoding.heic import is_heic, register_heic
from verydeep.decoding.resize import fit_to_input, resize_short_side
from verydeep.decoding.to_8_bits import read_encoding, to_8_bits
from verydeep.errors import UnreadableError, UnreadableKind
from verydeep.foreign_text import one_line
from verydeep.image_sources.image_source import ArchivedImage

PIXEL_LIMIT = 100_000_000
"""The default maximum number of pixels of an image that is decoded."""

MIN_DECODE_SCALE = 2
"""A JPEG is decoded at this many times the requested size or larger: its pixels then differ by at most 3 of
255 from those of full decoding (benchmarks/decode.py)."""


# `PIXEL_LIMIT` replaces Pillow's limit. Set once, because threads must not change the filters concurrently.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def decode_pixels(
    source: Path | str | bytes | ArchivedImage, preprocess: Preprocess, *, pixel_limit: int = PIXEL_LIMIT
) -> UInt8[np.ndarray, "channels size size"]:
    """The pixels of an image, 0 to 255 in gray or RGB order, ready for normalization.

    The first frame is rotated by its EXIF orientation, composited on white if it is transparent, converted to
    8 bits and to the channels of ``preprocess``, and resized (bilinear, antialiased) to its size: cropped,
    padded or squashed as its fit says. Colors are not inverted or equalized.

    Args:
        source: a file, the content of a file, or an entry of a shard.
        preprocess: channels, size and fit.
        pixel_limit: images with more pixels are not decoded.

    Raises:
        UnreadableError: states the file and the reason, for example that it is truncated.
    """
    name = name_of(source)
    min_side = MIN_DECODE_SCALE * preprocess.short_side
    with one_broken_file(name):
        image = read_image(source, name=name, pixel_limit=pixel_limit, short_side=min_side)
        image = in_channels(image, preprocess.channels)
        return to_pixels(fit_to_input(image, preprocess, name, pixel_limit))


def decode_whole_pixels(
    source: Path | str | bytes | ArchivedImage,
    channels: int,
    short_sides: Sequence[int],
    *,
    pixel_limit: int = PIXEL_LIMIT,
) -> tuple[UInt8[np.ndarray, "channels height width"], ...]:
    """As ``decode_pixels`` but not cropped, resized to each of ``short_sides``; the file is read once.

    Raises:
        UnreadableError: states the file and the reason.
    """
    name = name_of(source)
    with one_broken_file(name):
        image = in_channels(read_image(source, name=name, pixel_limit=pixel_limit), channels)
        return tuple(to_pixels(resize_short_side(image, side, name, pixel_limit)) for side in short_sides)


def name_of(source: Path | str | bytes | ArchivedImage) -> str:
    """The name of ``source`` in messages."""
    return f"image of {len(source):,} bytes" if isinstance(source, bytes) else one_line(str(source))


def in_channels(image: Image.Image, channels: int) -> Image.Image:
    """``image`` in gray or RGB."""
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)  # which copies in any case


def to_pixels(image: Image.Image) -> UInt8[np.ndarray, "channels height width"]:
    """The pixels of ``image``, gray or RGB, as an array."""
    # np.array(image) takes 5 us more, a fifteenth of the time of a small PNG.
    pixels = np.frombuffer(image.tobytes(), dtype=np.uint8).reshape(image.height, image.width, -1)
    return np.array(pixels.transpose(2, 0, 1), order="C")


def read_image(
    source: Path | str | bytes | ArchivedImage,
    *,
    name: str | None = None,
    pixel_limit: int = PIXEL_LIMIT,
    short_side: int | None = None,
) -> Image.Image:
    """The first frame, upright, opaque, in gray or RGB with 8 bits per channel; in its original size.

    With ``short_side``, in px, a much larger JPEG may be decoded at a lower resolution, but not below it.

    Raises:
        UnreadableError: states ``name`` (the source by default) and the reason.
    """
    name = name or name_of(source)
    with open_image(source, name, pixel_limit) as opened:
        if short_side:
            _decode_smaller(opened, short_side)
        return load_image(opened, name)


@contextmanager
def open_image(
    source: Path | str | bytes | ArchivedImage, name: str, pixel_limit: int = PIXEL_LIMIT
) -> Iterator[Image.Image]:
    """The image with only its header read; any error inside the block becomes an UnreadableError.

    Raises:
        UnreadableError: states ``name`` and the reason.
    """
    with one_broken_file(name):
        content = source if isinstance(source, Path | str | bytes) else source.read()
        with _opened(content, name) as opened:
            _check_pixels(opened.size, name, pixel_limit)
            yield opened


@contextmanager
def one_broken_file(name: str) -> Iterator[None]:
    """With a corrupt file, Pillow can raise almost any exception: a batch goes on without the file."""
    try:
        yield
    except UnreadableError:
        raise
    except FileNotFoundError as error:
        raise UnreadableError(f"{name} does not exist", "missing") from error
    except Exception as error:
        kind: UnreadableKind = "truncated" if "truncated" in str(error).lower() else "corrupt"
        if isinstance(error, Image.DecompressionBombError):  # Pillow's own limit, at twice the usual one
            kind = "too large"
        raise UnreadableError(f"{name} cannot be decoded: {error or type(error).__name__}", kind) from error


def _opened(source: Path | str | bytes, name: str) -> Image.Image:
    def opened() -> Image.Image:
        image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
        if image.format == "EPS":  # a program, which Pillow lets Ghostscript run
            image.close()
            raise UnreadableError(
                f"{name} is PostScript, which is not decoded. Convert it to PNG", "unsupported"
            )
        return image

    try:
        return opened()
    except UnidentifiedImageError as error:
        start = _start(source)
        if is_heic(start):
            register_heic(name)
            return opened()
        raise _unidentified(start, name) from error


def _start(source: Path | str | bytes) -> bytes:
    """The first bytes of a file, which tell its format."""
    if isinstance(source, bytes):
        return source[:16]
    with Path(source).open("rb") as file:
        return file.read(16)


def _unidentified(start: bytes, name: str) -> UnreadableError:
    if not start:
        return UnreadableError(f"{name} is empty: 0 bytes", "empty")
    if start[:4] in _TIFF_MAGIC:
        message = (
            f"{name} is a TIFF with a kind of pixels that Pillow cannot read, or its header is truncated"
        )
        return UnreadableError(f"{message}. Save it as gray or RGB with 8 or 16 bits", "unsupported")
    message = f"{name} is not an image of a known format, or its header is truncated"
    return UnreadableError(message, "not an image")


_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two are those of BigTIFF


def load_image(opened: Image.Image, name: str) -> Image.Image:
    """``opened`` decoded, upright, opaque, in gray or RGB with 8 bits per channel.

    ``opened`` is changed, and may be the result.

    Raises:
        UnreadableError: if it has 32 bits per channel, with an unknown value range.
    """
    encoding = read_encoding(opened)
    opened.load()
    if opened.info:  # without any tag there is none of the orientation
        ImageOps.exif_transpose(opened, in_place=True)
    return to_8_bits(opened, encoding, name)


def _decode_smaller(image: Image.Image, short_side: int) -> None:
    """Let a JPEG be decoded at 1/8, 1/4 or 1/2 of its size, which saves most of the decoding time.

    Only if the factor divides both sides, as for photos of cameras; otherwise all pixels would be shifted.
    """
    width, height = image.size
    for factor in (8, 4, 2):
        if not (width % factor or height % factor) and min(width, height) // factor >= short_side:
            image.draft(None, (width // factor, height // factor))  # no effect on other formats
            return


def _check_pixels(size: tuple[int, int], name: str, pixel_limit: int) -> None:
    width, height = size
    if width * height > pixel_limit:
        raise UnreadableError(
            f"{name} is {width} x {height} px, over the limit of {pixel_limit:,} pixels. Resize it first.",
            "too large",
        )
