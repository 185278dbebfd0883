"""Random resized crops of images on disk: cut before they are resized, so that no pixel is resized in vain.

``data/augmentation/color.py`` does the same with images that are in memory, at the input size of the network.
"""

import math
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from verydeep.architecture.preprocess import Preprocess
from verydeep.decoding import fast_jpeg
from verydeep.decoding.decode import (
    MIN_DECODE_SCALE,
    decode_pixels,
    in_channels,
    name_of,
    one_broken_file,
    read_image,
    to_pixels,
)
from verydeep.image_sources.image_source import ImageSource
from verydeep.packs.packed_pixels import PackedImage

MAX_ASPECT_RATIO = 4 / 3
"""The aspect ratio of a crop before it is resized is between the inverse of this and this."""

Decoder = Literal["pillow", "fast"]
"""What decodes and resizes crops: Pillow, or for JPEG simplejpeg and OpenCV. Their pixels differ a little."""
Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge in px."""


class Crop(NamedTuple):
    """A random crop in units that do not depend on the size of the image."""

    side: float
    """The square root of the area, relative to that of the image, or to its short side."""
    stretch: float
    """The square root of height by width."""
    down: float
    """The position, from -1 (at the top) to 1."""
    right: float
    """The position, from -1 (at the left) to 1."""
    of_short_side: bool = False


class DecodedCrop(NamedTuple):
    """An image at the input size of the network."""

    pixels: UInt8[np.ndarray, "channels size size"]
    is_cropped: bool
    """Whether the crop is cut from it, or is still to be."""


def default_decoder() -> Decoder:
    """The decoder of a new run: ``fast`` where its packages are installed."""
    return "fast" if fast_jpeg.is_installed() else "pillow"


def crop_box(width: int, height: int, crop: Crop, *, squash: bool = False) -> Box:
    """Where ``crop`` lies in an image of this size.

    The aspect ratio is that of the crop in px, within 3:4 and 4:3. With ``squash``, the crop is one of the
    image after it was squashed to a square.
    """
    unit = min(width, height) if crop.of_short_side else math.sqrt(width * height)
    rows_unit, columns_unit = (height, width) if squash else (unit, unit)
    rows = min(height, crop.side * crop.stretch * rows_unit)
    columns = min(width, crop.side / crop.stretch * columns_unit)
    if not squash:  # a side that does not fit is cut, and in a very wide or tall image the other one too
        rows, columns = min(rows, columns * MAX_ASPECT_RATIO), min(columns, rows * MAX_ASPECT_RATIO)
    left, top = (1 + crop.right) * (width - columns) / 2, (1 + crop.down) * (height - rows) / 2
    return left, top, left + columns, top + rows


def decode_crop(source: ImageSource, preprocess: Preprocess, crop: Crop, decoder: Decoder) -> DecodedCrop:
    """The crop of an image, resized (bilinear, antialiased) to the size of ``preprocess``.

    An image that the preprocessing would not change is returned whole: it is cropped as images in memory are,
    so that both give the same training. An image with a border is returned likewise (the fit "pad"): the
    border is a part of what is cropped.

    Raises:
        UnreadableError: states the file and the reason.
    """
    if preprocess.fit == "pad":
        return DecodedCrop(decode_pixels(source, preprocess), is_cropped=False)
    if isinstance(source, PackedImage):
        return _packed_crop(source.pixels(), preprocess, crop, decoder)
    name = name_of(source)
    content: ImageSource | bytes = source
    with one_broken_file(name):
        if decoder == "fast":
            content = source.read_bytes() if isinstance(source, Path) else source.read()
            if (pixels := fast_jpeg.decode_jpeg(content, preprocess.channels)) is not None:
                return _fast_crop(pixels, preprocess, crop)
        scale = MIN_DECODE_SCALE / (crop.side * min(crop.stretch, 1 / crop.stretch))
        image = read_image(content, name=name, short_side=math.ceil(scale * preprocess.size))
        return _pillow_crop(image, preprocess, crop)


def _packed_crop(
    pixels: UInt8[np.ndarray, "height width channels"], preprocess: Preprocess, crop: Crop, decoder: Decoder
) -> DecodedCrop:
    if decoder == "fast" and pixels.shape[2] == preprocess.channels:
        return _fast_crop(pixels, preprocess, crop)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return _pillow_crop(image, preprocess, crop)


def _pillow_crop(image: Image.Image, preprocess: Preprocess, crop: Crop) -> DecodedCrop:
    image = in_channels(image, preprocess.channels)
    if _fits(*image.size, preprocess):
        return DecodedCrop(to_pixels(image), is_cropped=False)
    size = (preprocess.size, preprocess.size)
    box = crop_box(*image.size, crop, squash=preprocess.fit == "squash")
    return DecodedCrop(to_pixels(image.resize(size, Image.Resampling.BILINEAR, box)), is_cropped=True)


def _fast_crop(
    pixels: UInt8[np.ndarray, "height width channels"], preprocess: Preprocess, crop: Crop
) -> DecodedCrop:
    """The crop, rounded to whole px."""
    height, width, _ = pixels.shape
    if _fits(width, height, preprocess):
        return DecodedCrop(fast_jpeg.planes(pixels), is_cropped=False)
    box = crop_box(width, height, crop, squash=preprocess.fit == "squash")
    left, top, right, bottom = map(round, box)
    left, top = min(left, width - 1), min(top, height - 1)  # at least one px
    cut = pixels[top : max(bottom, top + 1), left : max(right, left + 1)]
    return DecodedCrop(fast_jpeg.resize(cut, preprocess.size), is_cropped=True)


def _fits(width: int, height: int, preprocess: Preprocess) -> bool:
    """Whether the preprocessing does not change an image of this size."""
    return width == height == preprocess.size == preprocess.short_side
