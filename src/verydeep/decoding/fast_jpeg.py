"""JPEGs decoded by simplejpeg, and crops resized by OpenCV: faster than Pillow, with the extra ``fast``."""

from functools import cache
from importlib.util import find_spec
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from verydeep.decoding.decode import PIXEL_LIMIT

_JPEG = b"\xff\xd8\xff"
_ROTATING = (b"Exif\0\0", b"tiff:Orientation")
"""What a file has that may be rotated, by EXIF or by XMP."""
_ORIENTATION, _UPRIGHT = 0x0112, 1
_HEADER_BYTES = 65_536
"""Where they are, if there are any: within the first segments of a JPEG."""


@cache
def is_installed() -> bool:
    """Whether both packages are."""
    return all(find_spec(name) for name in ("simplejpeg", "cv2"))


def decode_jpeg(content: bytes, channels: int) -> UInt8[np.ndarray, "height width channels"] | None:
    """The pixels of a JPEG in gray or RGB; None where Pillow has to read it.

    That is: another format, CMYK, a rotation by EXIF or XMP, too many pixels, or a damaged file, for its
    message.
    """
    import simplejpeg

    if not content.startswith(_JPEG) or _is_rotated(content):
        return None
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(content)
        if space not in (("Gray",) if channels == 1 else ("Gray", "YCbCr", "RGB")):
            return None  # Pillow makes color gray in its own way
        if height * width > PIXEL_LIMIT:
            return None
        pixels: np.ndarray = simplejpeg.decode_jpeg(content, "GRAY" if channels == 1 else "RGB")
    except ValueError:
        return None
    return pixels


def _is_rotated(content: bytes) -> bool:
    header = content[:_HEADER_BYTES]
    if not any(mark in header for mark in _ROTATING):
        return False
    with Image.open(BytesIO(content)) as opened:
        return bool(opened.getexif().get(_ORIENTATION, _UPRIGHT) != _UPRIGHT)


def resize(
    pixels: UInt8[np.ndarray, "height width channels"], size: int
) -> UInt8[np.ndarray, "channels size size"]:
    """``pixels`` resized: bilinear, or the mean of the area where a side becomes less than half.

    Between the two, OpenCV's mean of the area takes five times as long as bilinear.
    """
    cv2 = _opencv()
    is_halved = max(pixels.shape[:2]) > 2 * size
    method = cv2.INTER_AREA if is_halved else cv2.INTER_LINEAR
    resized = cv2.resize(pixels, (size, size), interpolation=method)
    return planes(resized.reshape(size, size, pixels.shape[2]))  # OpenCV drops the axis of a single channel


def planes(pixels: UInt8[np.ndarray, "height width channels"]) -> UInt8[np.ndarray, "channels height width"]:
    """``pixels`` with all of a channel side by side in memory."""
    height, width, channels = pixels.shape
    separate = np.empty((channels, height, width), dtype=np.uint8)
    _opencv().split(pixels, list(separate))
    return separate


@cache
def _opencv() -> Any:
    """OpenCV without threads of its own: images are read in threads already."""
    import cv2

    cv2.setNumThreads(1)
    return cv2
