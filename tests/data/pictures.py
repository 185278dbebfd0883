"""Test images: smooth random colors, reproducible by a seed."""

import numpy as np
from PIL import Image


def picture(seed, width=120, height=90, mode="RGB"):
    """A smooth image, different for every seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def save(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path
