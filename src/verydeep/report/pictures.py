"""Pictures inside a page: images as data URIs, so that a page needs no other file."""

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from verydeep.evaluate.mistake import Mistake

CRISP_SIDE = 96
"""Up to this side in px an image is enlarged pixel by pixel, and kept without loss."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A mistake with its image inside the page."""

    name: str
    """Of the image."""
    label: str
    predicted: str
    confidence: float
    uri: str | None
    """None where the image can no longer be read."""
    is_crisp: bool


def picture(mistake: Mistake, image: UInt8[np.ndarray, "channels height width"], name: str) -> Picture:
    """``mistake`` ready for the page; ``image`` has one channel or three."""
    return Picture(
        name=name,
        label=mistake.label,
        predicted=mistake.predicted,
        confidence=mistake.confidence,
        uri=data_uri(image),
        is_crisp=is_crisp(image),
    )


def is_crisp(image: UInt8[np.ndarray, "channels height width"]) -> bool:
    """Whether the page enlarges ``image`` pixel by pixel."""
    return bool(max(image.shape[1:]) <= CRISP_SIDE)


def data_uri(image: UInt8[np.ndarray, "channels height width"]) -> str:
    """``image`` as a data URI: PNG where it is small, else JPEG."""
    kind = "png" if is_crisp(image) else "jpeg"
    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    buffer = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, optimize=True)
    return f"data:image/{kind};base64,{b64encode(buffer.getvalue()).decode()}"
