"""A picture of the first-layer filters of a network."""

from math import ceil, sqrt
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from PIL import Image
from torch import Tensor

from verydeep.number_format import TIMES
from verydeep.pictures.drawing import MARGIN, save_png, titled_canvas

FILTER_SIDE = 72
"""Of a filter in the picture, in px, approximately."""
_GAP, _HEADER = 6, 64


def write_filters_image(
    filters: Float32[Tensor, "filters channels kernel kernel"], network: str, path: Path
) -> None:
    """The filters in a square grid, enlarged pixel by pixel, as a PNG at ``path``."""
    count, _, kernel, _ = filters.shape
    columns, scale = ceil(sqrt(count)), max(1, FILTER_SIDE // kernel)
    step = kernel * scale + _GAP
    rows = ceil(count / columns)
    width = max(360, 2 * MARGIN + columns * step - _GAP)
    height = MARGIN + _HEADER + rows * step + MARGIN
    subtitle = f"{network} · {count} of {kernel} {TIMES} {kernel} · gray is 0"
    canvas = titled_canvas(width, height, "First-layer filters", subtitle)
    for index, pixels in enumerate((255 * filters).round().byte().numpy()):
        rgb = np.broadcast_to(pixels, (3, kernel, kernel)).transpose(1, 2, 0)
        tile = rgb.repeat(scale, 0).repeat(scale, 1)
        row, column = divmod(index, columns)
        position = (MARGIN + column * step, MARGIN + _HEADER + row * step)
        canvas.paste(Image.fromarray(np.ascontiguousarray(tile)), position)
    save_png(canvas, path)
