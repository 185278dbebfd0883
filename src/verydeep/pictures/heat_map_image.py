"""A picture of a heat map: the image, the heat map over it, and the color bar, one PNG per image."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from verydeep.explain.heat_map import HeatMap
from verydeep.number_format import percent
from verydeep.pictures.drawing import BLUE, MARGIN, save_png, titled_canvas
from verydeep.pictures.font import font
from verydeep.pictures.inferno import inferno

MIN_SIDE = 280
"""Smaller images are enlarged to about this many px per side, pixel by pixel."""
_GAP, _HEADER, _BAR, _BAR_LABEL = 12, 60, 14, 40

ImageArray = UInt8[np.ndarray, "channels height width"]


def image_of(heat_map: HeatMap) -> ImageArray:
    """The preprocessed image, in RGB."""
    pixels = heat_map.pixels
    return np.ascontiguousarray(np.broadcast_to(pixels, (3, *pixels.shape[1:])))


def overlay_of(heat_map: HeatMap) -> ImageArray:
    """The image in gray under the colors of the heat, which are the stronger the more heat there is."""
    return blend(image_of(heat_map).mean(0), heat_map.heat)


def blend(gray: Float[np.ndarray, "height width"], heat: Float[np.ndarray, "height width"]) -> ImageArray:
    """Colors of ``heat``, 0 to 1, over ``gray``, 0 to 255; the opacity is 0.2 where there is no heat."""
    colors = inferno(heat).transpose(2, 0, 1)
    opacity = 0.2 + 0.6 * heat
    mixed: ImageArray = ((1 - opacity) * gray + opacity * colors).round().astype(np.uint8)
    return mixed


def class_text(heat_map: HeatMap) -> str:
    """The explained class with its probability and, if it is another class, the predicted one."""
    label = f"{heat_map.label} {percent(heat_map.probability, 1)}"
    if heat_map.predicted == heat_map.label:
        return label
    return f"{label} (predicted: {heat_map.predicted} {percent(heat_map.confidence, 1)})"


def method_text(heat_map: HeatMap) -> str:
    """The method and, if it uses one, the layer."""
    return f"{heat_map.method}, {heat_map.layer}" if heat_map.layer else heat_map.method


def write_heat_map_image(heat_map: HeatMap, name: str, path: Path) -> None:
    """The image ``name``, the heat map over it, and the color bar, as a PNG at ``path``."""
    tiles = [_enlarge(image) for image in (image_of(heat_map), overlay_of(heat_map))]
    side, top = tiles[0].width, MARGIN + _HEADER
    width = 2 * MARGIN + 2 * side + 2 * _GAP + _BAR + _BAR_LABEL
    subtitle = f"{name} · {method_text(heat_map)}"
    canvas = titled_canvas(width, top + side + MARGIN, class_text(heat_map), subtitle)
    for column, tile in enumerate(tiles):
        canvas.paste(tile, (MARGIN + column * (side + _GAP), top))
    left = MARGIN + 2 * (side + _GAP)
    canvas.paste(_color_bar(side), (left, top))
    draw = ImageDraw.Draw(canvas)
    for heat, height in (("1", top), ("0", top + side - 16)):
        draw.text((left + _BAR + 6, height), heat, BLUE, font(14))
    save_png(canvas, path)


def _enlarge(image: ImageArray) -> Image.Image:
    scale = max(1, round(MIN_SIDE / image.shape[2]))
    return Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0).repeat(scale, 0).repeat(scale, 1)))


def _color_bar(height: int) -> Image.Image:
    """All colors over medium gray, the highest heat at the top."""
    heat = np.linspace(1, 0, height)[:, None].repeat(_BAR, 1)
    return Image.fromarray(np.ascontiguousarray(blend(np.full_like(heat, 160.0), heat).transpose(1, 2, 0)))
