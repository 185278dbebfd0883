"""Decodes image files into tensors; ``decoding/decode.py`` says how."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.decoding.decode import PIXEL_LIMIT, decode_pixels, decode_whole_pixels
from verydeep.image_sources.image_source import ArchivedImage


def decode(
    source: Path | str | bytes | ArchivedImage, preprocess: Preprocess, *, pixel_limit: int = PIXEL_LIMIT
) -> UInt8[Tensor, "channels size size"]:
    """The pixels of an image as ``decode_pixels`` gives them: 0 to 255 in gray or RGB order.

    Raises:
        UnreadableError: states the file and the reason, for example that it is truncated.
    """
    return torch.from_numpy(decode_pixels(source, preprocess, pixel_limit=pixel_limit))


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
    whole = decode_whole_pixels(source, channels, short_sides, pixel_limit=pixel_limit)
    return tuple(map(torch.from_numpy, whole))
