"""What a process that decodes images is given, what it does, and what it answers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from verydeep.architecture.preprocess import Preprocess
from verydeep.decoding.crop import Crop, DecodedCrop, Decoder, decode_crop
from verydeep.decoding.decode import decode_pixels
from verydeep.errors import UnreadableError, UnreadableKind
from verydeep.image_sources.image_source import ImageSource

IMAGES_AT_A_TIME = 16
"""That a process decodes at most before it answers. From a pack by OpenCV, 2 processes on 2 busy cores: with
4, 8, 16 and 32 of them 3,079, 3,887, 4,089 and 4,285 images/s."""


class Work(NamedTuple):
    """What a process does, as it is sent there when it starts."""

    preprocess: Preprocess
    decoder: Decoder

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the shared memory, in bytes."""
        return IMAGES_AT_A_TIME, self.preprocess.channels, self.preprocess.size, self.preprocess.size


class Unreadable(NamedTuple):
    """In place of an image that cannot be read."""

    reason: str
    kind: UnreadableKind


Item = tuple[ImageSource, Crop | None]
"""An image that is to be decoded, whole or a crop of it."""
Outcome = bool | Unreadable
"""Whether an image is cropped (``DecodedCrop``), or why there is none."""


def decode_into(
    pixels: UInt8[np.ndarray, "images channels size size"], items: Sequence[Item], work: Work
) -> list[Outcome]:
    """Write each image of ``items`` to its row of ``pixels``."""
    return [_decode(row, *item, work) for row, item in zip(pixels, items, strict=False)]


def _decode(
    row: UInt8[np.ndarray, "channels size size"], source: ImageSource, crop: Crop | None, work: Work
) -> Outcome:
    try:
        decoded = decode_image(source, crop, work.preprocess, work.decoder)
    except UnreadableError as error:
        return Unreadable(str(error), error.kind)
    row[...] = decoded.pixels
    return decoded.is_cropped


def decode_image(
    source: ImageSource, crop: Crop | None, preprocess: Preprocess, decoder: Decoder
) -> DecodedCrop:
    """An image, whole or cropped as ``decode_crop`` does it; whole ones are decoded by Pillow.

    Raises:
        UnreadableError: states the file and the reason.
    """
    if crop is None:
        return DecodedCrop(decode_pixels(source, preprocess), is_cropped=False)
    return decode_crop(source, preprocess, crop, decoder)
