"""Heat maps of class maps, and as small PNG files: colors whose opacity is the heat."""

import base64
import io

import numpy as np
from jaxtyping import Float32
from PIL import Image

from verydeep.web_page.heat_colors import INFERNO


def heat_from_class_maps(
    evidence: Float32[np.ndarray, "rows columns"], size: tuple[int, ...]
) -> Float32[np.ndarray, "height width"]:
    """The positive evidence for a class, resized to ``size``, in [0, 1] relative to its maximum.

    For a linear head after a global average pool, this is Grad-CAM (Selvaraju et al. 2017, appendix A).
    """
    height, width = size
    resized = Image.fromarray(np.maximum(evidence, 0)).resize((width, height), Image.Resampling.BILINEAR)
    heat = np.asarray(resized, dtype=np.float32)
    return heat / np.float32(max(float(heat.max()), 1e-12))


def heat_png(heat: Float32[np.ndarray, "height width"]) -> str:
    """``heat`` as a PNG in base64: its colors are those of inferno, and its opacity is the heat."""
    positions = heat.clip(0, 1)
    anchors = np.linspace(0, 1, len(INFERNO))
    channels = [np.interp(positions, anchors, values) for values in zip(*INFERNO, strict=True)]
    pixels = np.stack([*channels, 255 * positions], axis=-1).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
