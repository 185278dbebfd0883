"""Decodes image files of the common formats: upright by EXIF, 8 bits, resized and cropped for the network."""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from multiprocessing import parent_process
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.samples import ArchivedImage
from verydeep.errors import UnreadableError, UnreadableKind

PIXEL_LIMIT = 100_000_000
"""The default maximum number of pixels of an image that is decoded."""

MIN_DECODE_SCALE = 2
"""A JPEG is decoded at this many times the requested size or larger: its pixels then differ by at most 3 of
255 from those of full decoding (benchmarks/decode.py)."""


# `PIXEL_LIMIT` replaces Pillow's limit. Set once, because threads must not change the filters concurrently.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def decode(
    source: Path | str | bytes | ArchivedImage, preprocess: Preprocess, *, pixel_limit: int = PIXEL_LIMIT
) -> UInt8[Tensor, "channels size size"]:
    """The pixels of an image, 0 to 255 in gray or RGB order, ready for `normalize`.

    The first frame is rotated by its EXIF orientation, composited on white if it is transparent, converted to
    8 bits and to the channels of ``preprocess``, resized (bilinear, antialiased) and center-cropped. Colors
    are not inverted or equalized, and the aspect ratio does not change.

    Args:
        source: a file, the content of a file, or an entry of a shard.
        preprocess: channels, resize and size.
        pixel_limit: images with more pixels are not decoded.

    Raises:
        UnreadableError: states the file and the reason, for example that it is truncated.
    """
    name = _name(source)
    min_side = MIN_DECODE_SCALE * preprocess.short_side
    image = read_image(source, name=name, pixel_limit=pixel_limit, short_side=min_side)
    image = _in_channels(image, preprocess.channels)
    image = _resize_short_side(image, preprocess.short_side, name, pixel_limit)
    left = round((image.width - preprocess.size) / 2)
    top = round((image.height - preprocess.size) / 2)
    return _pixels(image.crop((left, top, left + preprocess.size, top + preprocess.size)))


def decode_whole(
    source: Path | str | bytes | ArchivedImage,
    channels: int,
    short_sides: Sequence[int],
    *,
    pixel_limit: int = PIXEL_LIMIT,
) -> tuple[UInt8[Tensor, "channels height width"], ...]:
    """As ``decode`` but not cropped, resized to each of ``short_sides``; the file is read once.

    Raises:
        UnreadableError: states the file and the reason.
    """
    name = _name(source)
    image = _in_channels(read_image(source, name=name, pixel_limit=pixel_limit), channels)
    return tuple(_pixels(_resize_short_side(image, side, name, pixel_limit)) for side in short_sides)


def _name(source: Path | str | bytes | ArchivedImage) -> str:
    return f"image of {len(source):,} bytes" if isinstance(source, bytes) else str(source)


def _in_channels(image: Image.Image, channels: int) -> Image.Image:
    return image.convert("L" if channels == 1 else "RGB")


def _pixels(image: Image.Image) -> UInt8[Tensor, "channels height width"]:
    pixels = torch.from_numpy(np.array(image))
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1).contiguous()


def read_image(
    source: Path | str | bytes | ArchivedImage,
    *,
    name: str | None = None,
    pixel_limit: int = PIXEL_LIMIT,
    short_side: int | None = None,
) -> Image.Image:
    """The first frame, upright, opaque, with 8 bits per channel; in its original size and mode.

    With ``short_side``, in px, a much larger JPEG may be decoded at a lower resolution, but not below it.

    Raises:
        UnreadableError: states ``name`` (the source by default) and the reason.
    """
    name = name or str(source)
    with open_image(source, name, pixel_limit) as opened:
        if short_side:
            _decode_smaller(opened, short_side)
        return load_image(opened, name)


@contextmanager
def open_image(
    source: Path | str | bytes | ArchivedImage, name: str, pixel_limit: int = PIXEL_LIMIT
) -> Iterator[Image.Image]:
    """The image with only its header read; errors of Pillow inside the block become an UnreadableError.

    Raises:
        UnreadableError: states ``name`` and the reason.
    """
    try:
        source = source if isinstance(source, Path | str | bytes) else source.read()
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
            _check_pixels(opened.size, name, pixel_limit)
            yield opened
    except UnreadableError:
        raise
    except FileNotFoundError as error:
        raise UnreadableError(f"{name} does not exist", "missing") from error
    except UnidentifiedImageError as error:
        if _is_empty(source):
            raise UnreadableError(f"{name} is empty: 0 bytes", "empty") from error
        message = f"{name} is not an image of a known format, or its header is truncated"
        raise UnreadableError(message, "not an image") from error
    except Exception as error:  # with a corrupt file, Pillow's parsers can raise almost any exception
        kind: UnreadableKind = "truncated" if "truncated" in str(error).lower() else "corrupt"
        raise UnreadableError(f"{name} cannot be decoded: {error or type(error).__name__}", kind) from error


def _is_empty(source: Path | str | bytes | ArchivedImage) -> bool:
    return not source if isinstance(source, bytes) else isinstance(source, Path) and not source.stat().st_size


def load_image(opened: Image.Image, name: str) -> Image.Image:
    """``opened`` decoded, upright, opaque, with 8 bits per channel.

    Raises:
        UnreadableError: if it has 32 bits per channel, with an unknown value range.
    """
    opened.load()
    return _to_8_bits(ImageOps.exif_transpose(opened), opened.format, name)


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


def _to_8_bits(image: Image.Image, file_format: str | None, name: str) -> Image.Image:
    """``image`` with 8 bits per channel, composited on white if it is transparent."""
    if image.mode.startswith("I;16") or (image.mode == "I" and file_format in ("PNG", "PPM")):
        values = np.asarray(image).astype(np.float32)
        return Image.fromarray((values / 257).round().astype(np.uint8))  # 65535 / 257 = 255
    if image.mode in ("I", "F"):
        raise UnreadableError(
            f"{name} has 32-bit pixels with an unknown value range. Save it with 8 or 16 bits.", "32-bit"
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        _warn_once(image, name)
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image


_transparent = count()
_log = logging.getLogger(__name__)


def _warn_once(image: Image.Image, name: str) -> None:
    """Log the first transparent image; worker processes log nothing."""
    is_transparent = np.asarray(image.getchannel("A")).min() < 255
    if is_transparent and parent_process() is None and next(_transparent) == 0:
        _log.warning("%s is partly transparent: it is composited on white, and so are all such images", name)


def _resize_short_side(image: Image.Image, short_side: int, name: str, pixel_limit: int) -> Image.Image:
    """``image`` with its short side resized to ``short_side``; the other is rounded as in torchvision."""
    short = min(image.size)
    width, height = (int(short_side * side / short) for side in image.size)
    if width * height > pixel_limit:
        raise UnreadableError(
            f"{name} is {image.width} x {image.height} px, too narrow: with a short side of {short_side} px "
            f"it would be {width} x {height} px. Crop it first.",
            "too narrow",
        )
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return image


def short_side(source: Path | ArchivedImage) -> int | None:
    """The shorter side of an image in px, read from its header only; None if the header cannot be read."""
    try:
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source.read())) as image:
            return min(image.size)
    except Exception:  # with a corrupt file, Pillow can raise almost any exception; decoding reports it
        return None
