"""Brings a decoded image to 8 bits of gray or RGB, by what its file states about the values of its pixels.

The mode of Pillow does not tell how many bits of a value are used, whether 0 is white, whether values have a
sign, or which one is transparent: these are in the tags of the file.
"""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from multiprocessing import parent_process
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin
from PIL.TiffTags import TAGS_V2

from verydeep.errors import UnreadableError
from verydeep.foreign_text import one_line

BLOCK_PIXELS = 2**20
"""Pixels that are computed at a time: at 100 million, values in between would take a gigabyte."""
_TAGS = {info.name: number for number, info in TAGS_V2.items()}
_UNSIGNED, _SIGNED = 1.0, 2.0  # SampleFormat of TIFF
_WHITE_IS_ZERO = 0  # PhotometricInterpretation of TIFF


@dataclass(frozen=True)
class PixelEncoding:
    """The meaning of the stored values of an image."""

    black: float | None = None
    """The value of black; None if the file does not state it."""
    white: float | None = None
    bits: int = 8
    """Bits of each value in the file."""
    is_signed: bool = False


def read_encoding(opened: Image.Image) -> PixelEncoding:
    """The encoding of an image that is open and not loaded: loading forgets a part of it."""
    if isinstance(opened, TiffImagePlugin.TiffImageFile):
        return _encoding_of_tiff(opened.tag_v2)
    if opened.mode.startswith("I;16") or (opened.mode == "I" and opened.format in ("PNG", "PPM")):
        return PixelEncoding(0.0, 65_535.0, 16)
    return PixelEncoding(bits=_bits_of_png(opened) if opened.format == "PNG" else 8)


def _bits_of_png(opened: Image.Image) -> int:
    """Pillow calls 2 bits of gray "L;2", and 16 bits of color "RGB;16B"."""
    raw_modes = [str(tile[3]) for tile in getattr(opened, "tile", [])]
    digits = "".join(filter(str.isdigit, raw_modes[0].partition(";")[2])) if raw_modes else ""
    return int(digits or 8)


def _encoding_of_tiff(tags: Mapping[int, Any]) -> PixelEncoding:
    bits, sample_format = int(_number(tags, "BitsPerSample", 1.0)), _number(tags, "SampleFormat", _UNSIGNED)
    black, white = _tiff_range(tags, bits, sample_format) or (None, None)
    if _number(tags, "PhotometricInterpretation", 1.0) == _WHITE_IS_ZERO:
        black, white = white, black
    return PixelEncoding(black, white, bits, sample_format == _SIGNED)


def _tiff_range(tags: Mapping[int, Any], bits: int, sample_format: float) -> tuple[float, float] | None:
    """The least and the greatest value (TIFF 6.0, sections 8 and 19); None if it is not stated."""
    if sample_format == _UNSIGNED and bits <= 16:
        # By the specification MaxSampleValue is a statistic. But 4095 in 16 bits means that 12 of them are
        # used; any other maximum is that of one image, and would change its brightness among the others.
        maximum = _number(tags, "MaxSampleValue", 0.0)
        used = next((n for n in range(9, bits) if maximum == 2**n - 1), bits)
        return 0.0, 2.0**used - 1
    low, high = (_number(tags, name, math.nan) for name in ("SMinSampleValue", "SMaxSampleValue"))
    if -math.inf < low < high < math.inf:
        return low, high
    half = 2.0 ** (bits - 1)
    return (-half, half - 1) if sample_format == _SIGNED and bits <= 16 else None


def _number(tags: Mapping[int, Any], name: str, default: float) -> float:
    """The first value of a tag: files have one for each channel."""
    value = tags.get(_TAGS[name], default)
    return float(value[0] if isinstance(value, tuple) else value)


def to_8_bits(image: Image.Image, encoding: PixelEncoding, name: str) -> Image.Image:
    """``image`` as gray (L) or RGB, with 8 bits per channel, composited on white if it is transparent.

    Raises:
        UnreadableError: if the file does not state which values are black and white.
    """
    if image.mode[0] in "IF" or (image.mode == "L" and encoding.is_signed):
        return _scaled(image, encoding, name)
    if image.has_transparency_data:
        return _on_white(image, encoding, name)
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _scaled(image: Image.Image, encoding: PixelEncoding, name: str) -> Image.Image:
    """One channel, from black to white; a transparent value becomes white."""
    if encoding.black is None or encoding.white is None:
        raise UnreadableError(
            f"{name} has 32-bit pixels with an unknown value range. Save it with 8 or 16 bits.", "32-bit"
        )
    stored = np.asarray(image)
    pixels = np.empty(stored.shape, dtype=np.uint8)
    for top, bottom in _blocks(image):
        values = stored[top:bottom]
        values = (values.view(np.int8) if image.mode == "L" else values).astype(np.float32)
        shades = (values - encoding.black) * (255 / (encoding.white - encoding.black))
        pixels[top:bottom] = np.nan_to_num(shades).clip(0, 255).round()
    transparent = image.info.get("transparency")
    if isinstance(transparent, int) and (stored == transparent).any():
        pixels[stored == transparent] = 255
        _log_transparent(name)
    return Image.fromarray(pixels)


def _on_white(image: Image.Image, encoding: PixelEncoding, name: str) -> Image.Image:
    if "transparency" in image.info:
        image.info["transparency"] = _in_8_bits(image.info["transparency"], image.mode, encoding.bits)
    opaque, is_transparent = Image.new("RGB", image.size), False
    for top, bottom in _blocks(image):
        block = image.crop((0, top, image.width, bottom))
        block = (block.convert("LA") if block.mode == "La" else block).convert("RGBA")
        is_transparent |= bool(np.asarray(block.getchannel("A")).min() < 255)
        white = Image.new("RGBA", block.size, "white")
        opaque.paste(Image.alpha_composite(white, block).convert("RGB"), (0, top))
    if is_transparent:
        _log_transparent(name)
    return opaque


def _blocks(image: Image.Image) -> Iterator[tuple[int, int]]:
    """The first row of each block of rows, and the row after its last one."""
    rows = max(1, BLOCK_PIXELS // image.width)
    return ((top, min(top + rows, image.height)) for top in range(0, image.height, rows))


def _in_8_bits(transparent: Any, mode: str, bits: int) -> Any:
    """The transparent value of a PNG, which has the bits of the file, as a value of the decoded pixels."""
    if mode == "L" and isinstance(transparent, int) and bits < 8:
        return transparent * 255 // (2**bits - 1)
    if mode == "RGB" and isinstance(transparent, tuple) and bits == 16:
        return tuple(value >> 8 for value in transparent)  # as Pillow does with the pixels
    return transparent


_transparent = count()
_log = logging.getLogger(__name__)


def _log_transparent(name: str) -> None:
    """Log the first transparent image; worker processes log nothing."""
    if parent_process() is None and next(_transparent) == 0:
        _log.warning(
            "%s is partly transparent: it is composited on white, and so are all such images", one_line(name)
        )
