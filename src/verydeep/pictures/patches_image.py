"""A picture of the patches that activate each channel most, one row per channel."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from verydeep.data.decode import decode
from verydeep.explain.image_patches import ImagePatches
from verydeep.explain.patches import Patch
from verydeep.pictures.drawing import BLUE, INK, MARGIN, save_png, titled_canvas
from verydeep.pictures.font import font

SIDE = 72
"""Of a patch in the picture, in px."""
_GAP, _HEADER, _LABEL = 6, 64, 96
_PADDING_GRAY = 225
"""The gray of the part of a patch beyond the border of its image."""


def write_patches_image(result: ImagePatches, path: Path) -> None:
    """One row per channel with its strongest patches, as a PNG at ``path``.

    Raises:
        DataError: if an image can no longer be read.
    """
    layer = result.patches
    most = max((len(channel.patches) for channel in layer.channels), default=0)
    width = max(480, 2 * MARGIN + _LABEL + most * (SIDE + _GAP) - _GAP)
    height = MARGIN + _HEADER + len(layer.channels) * (SIDE + _GAP) + MARGIN
    subtitle = f"{result.network} · receptive field {layer.receptive_field} px · {layer.images:,} images"
    canvas = titled_canvas(width, height, f"Strongest patches of {layer.layer}", subtitle)
    draw = ImageDraw.Draw(canvas)
    for row, channel in enumerate(layer.channels):
        top = MARGIN + _HEADER + row * (SIDE + _GAP)
        draw.text((MARGIN, top + 12), f"channel {channel.channel}", INK, font(14))
        draw.text((MARGIN, top + 34), _up_to(channel.patches[0].activation), BLUE, font(14))
        for column, patch in enumerate(channel.patches):
            pixels = decode(result.sources[patch.image], result.preprocess).numpy()
            tile = Image.fromarray(cut_out(pixels, patch)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            canvas.paste(tile, (MARGIN + _LABEL + column * (SIDE + _GAP), top))
    save_png(canvas, path)


def _up_to(activation: float) -> str:
    return f"up to {activation:,.0f}" if activation >= 100 else f"up to {activation:.3g}"


def cut_out(
    pixels: UInt8[np.ndarray, "channels height width"], patch: Patch
) -> UInt8[np.ndarray, "side side 3"]:
    """The pixels of ``patch``, gray beyond the border of its image."""
    top, left, bottom, right = patch.box
    square = np.full((bottom - top, right - left, 3), _PADDING_GRAY, np.uint8)
    inside = pixels[:, max(0, top) : max(0, bottom), max(0, left) : max(0, right)].transpose(1, 2, 0)
    row, column = max(0, -top), max(0, -left)
    square[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return square
