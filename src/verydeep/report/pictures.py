"""Pictures inside a page: images as data URIs, so that a page needs no other file."""

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from verydeep.evaluate.metrics import Mistake

CRISP_SIDE = 96
"""Up to this side in px an image is enlarged pixel by pixel, and kept without loss."""


@dataclass(frozen=True)
class Picture:
    """A mistake with its image inside the page."""

    mistake: Mistake
    name: str
    """Of the image, as a person knows it."""
    uri: str
    crisp: bool


def picture(mistake: Mistake, image: UInt8[np.ndarray, "channels height width"], name: str) -> Picture:
    """``mistake`` ready for the page; ``image`` has one channel or three."""
    return Picture(mistake, name, data_uri(image), _is_crisp(image))


def _is_crisp(image: UInt8[np.ndarray, "channels height width"]) -> bool:
    return bool(max(image.shape[1:]) <= CRISP_SIDE)


def data_uri(image: UInt8[np.ndarray, "channels height width"]) -> str:
    """``image`` as a data URI: PNG where it is small, else JPEG."""
    kind = "png" if _is_crisp(image) else "jpeg"
    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    buffer = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, optimize=True)
    return f"data:image/{kind};base64,{b64encode(buffer.getvalue()).decode()}"
