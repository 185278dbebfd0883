"""Normalization of decoded images without torch; ``data/normalize.py`` does the same with tensors."""

import numpy as np
from jaxtyping import Float32, UInt8

from verydeep.architecture.preprocess import Preprocess


def normalize_pixels(
    pixels: UInt8[np.ndarray, "batch channels height width"], preprocess: Preprocess
) -> Float32[np.ndarray, "batch channels height width"]:
    """The network input for ``pixels`` from 0 to 255 in gray or RGB order."""
    ordered = pixels[:, ::-1] if preprocess.order == "bgr" else pixels
    mean, std = (
        np.array(values, dtype=np.float32)[:, None, None] for values in (preprocess.mean, preprocess.std)
    )
    images = np.ascontiguousarray(ordered, dtype=np.float32)
    images /= np.float32(255 / preprocess.scale)
    images -= mean
    images /= std
    return images
