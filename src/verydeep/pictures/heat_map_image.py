"""A heat map over its image, the image beside it, and what the colors mean: one PNG an image."""

from pathlib import Path

import matplotlib
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from verydeep.atomic_write import atomic_write
from verydeep.explain.heat_maps import HeatMap
from verydeep.pictures.drawing import BLUE, DIM, INK, PAPER, cut, font
from verydeep.tables.format import percent

COLORS = "inferno"
"""Equal steps of heat are equal steps to the eye, in gray and to the color-blind too; jet's are not."""
LEAST_SIDE = 280
"""Smaller images are enlarged to about this many px a side, pixel by pixel."""
_MARGIN, _GAP, _BAR = 24, 12, 14

Picture = UInt8[np.ndarray, "channels height width"]


def original(found: HeatMap) -> Picture:
    """What the network saw, in RGB."""
    pixels = found.pixels.numpy()
    return np.ascontiguousarray(np.broadcast_to(pixels, (3, *pixels.shape[1:])))


def overlay(found: HeatMap) -> Picture:
    """The image in gray, under colors that are the stronger the more heat there is."""
    return blend(original(found).mean(0), found.heat.numpy())


def blend(gray: Float[np.ndarray, "height width"], heat: Float[np.ndarray, "height width"]) -> Picture:
    """Colors of ``heat``, 0 to 1, over ``gray``, 0 to 255: a fifth of them where there is none."""
    colors = 255 * matplotlib.colormaps[COLORS](heat)[..., :3].transpose(2, 0, 1)
    share = 0.2 + 0.6 * heat
    mixed: Picture = ((1 - share) * gray + share * colors).round().astype(np.uint8)
    return mixed


def in_words(found: HeatMap) -> str:
    """The class that was asked about and, where it is another, the one that was predicted."""
    said = f"{found.label} {percent(found.probability, 1)}"
    if found.predicted == found.label:
        return said
    return f"{said} (predicted: {found.predicted} {percent(found.confidence, 1)})"


def method_in_words(found: HeatMap) -> str:
    """The method and, where it has one, its layer."""
    return f"{found.method}, {found.layer}" if found.layer else found.method


def write_overlay(found: HeatMap, name: str, path: Path) -> None:
    """The image called ``name``, its heat map over it, and the key to the colors, as a PNG at ``path``."""
    pictures = [_enlarged(picture) for picture in (original(found), overlay(found))]
    side = pictures[0].width
    width = 2 * _MARGIN + 2 * side + 2 * _GAP + _BAR + 40
    above = _MARGIN + 60
    paper = Image.new("RGB", (width, above + side + _MARGIN), PAPER)
    pen, room = ImageDraw.Draw(paper), float(width - 2 * _MARGIN)
    pen.text((_MARGIN, _MARGIN - 4), cut(in_words(found), room, 22), INK, font(22))
    pen.text((_MARGIN, _MARGIN + 28), cut(f"{name} · {method_in_words(found)}", room, 14), DIM, font(14))
    for place, picture in enumerate(pictures):
        paper.paste(picture, (_MARGIN + place * (side + _GAP), above))
    left = _MARGIN + 2 * (side + _GAP)
    paper.paste(_bar(side), (left, above))
    for heat, height in (("1", above), ("0", above + side - 16)):
        pen.text((left + _BAR + 6, height), heat, BLUE, font(14))
    with atomic_write(path) as temporary:
        paper.save(temporary, "png", optimize=True)


def _enlarged(picture: Picture) -> Image.Image:
    times = max(1, round(LEAST_SIDE / picture.shape[2]))
    return Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0).repeat(times, 0).repeat(times, 1)))


def _bar(height: int) -> Image.Image:
    """All colors over a middle gray, the hottest on top."""
    heat = np.linspace(1, 0, height)[:, None].repeat(_BAR, 1)
    return Image.fromarray(np.ascontiguousarray(blend(np.full_like(heat, 160.0), heat).transpose(1, 2, 0)))
