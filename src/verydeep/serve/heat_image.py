"""Heat maps of class maps, and as small PNG files: colors whose opacity is the heat."""

import base64
import io

import numpy as np
from jaxtyping import Float32
from PIL import Image

_INFERNO = (
    (0, 0, 4), (31, 12, 72), (85, 15, 109), (136, 34, 106), (186, 54, 85), (227, 89, 51), (249, 140, 10),
    (249, 201, 50), (252, 255, 164),
)  # fmt: skip
"""Nine colors of matplotlib's inferno, which the server does without."""


def heat_png(heat: Float32[np.ndarray, "height width"]) -> str:
    """``heat`` as a PNG in base64: its colors are those of inferno, and its opacity is the heat."""
    positions = heat.clip(0, 1)
    anchors = np.linspace(0, 1, len(_INFERNO))
    channels = [np.interp(positions, anchors, values) for values in zip(*_INFERNO, strict=True)]
    pixels = np.stack([*channels, 255 * positions], axis=-1).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
