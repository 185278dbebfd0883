"""Heat maps as small PNG files: colors whose opacity is the heat."""

import base64
import io

import numpy as np
from jaxtyping import Float32
from PIL import Image

from verydeep.web_page.heat_colors import INFERNO


def heat_png(heat: Float32[np.ndarray, "height width"]) -> str:
    """``heat`` as a PNG in base64: its colors are those of inferno, and its opacity is the heat."""
    positions = heat.clip(0, 1)
    anchors = np.linspace(0, 1, len(INFERNO))
    channels = [np.interp(positions, anchors, values) for values in zip(*INFERNO, strict=True)]
    pixels = np.stack([*channels, 255 * positions], axis=-1).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
