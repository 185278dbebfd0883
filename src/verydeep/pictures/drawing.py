"""Drawing with Pillow: a canvas with a title, colors, a font, and text that is shortened to a width."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from verydeep.atomic_write import atomic_write
from verydeep.foreign_text import one_line
from verydeep.number_format import SPACE, TIMES

PAPER, INK, DIM, BLUE = "#ffffff", "#17212b", "#586571", "#0067b0"
MARGIN = 24
"""Around the content of a picture, in px."""


def titled_canvas(width: int, height: int, title: str, subtitle: str) -> Image.Image:
    """A blank picture with ``title`` and ``subtitle`` at the top."""
    canvas = Image.new("RGB", (width, height), PAPER)
    draw, text_width = ImageDraw.Draw(canvas), float(width - 2 * MARGIN)
    draw.text((MARGIN, MARGIN - 4), shorten_text(title, text_width, 22), INK, font(22))
    draw.text((MARGIN, MARGIN + 28), shorten_text(subtitle, text_width, 14), DIM, font(14))
    return canvas


def shorten_text(text: str, width: float, size: int) -> str:
    """``text``, without its middle if it is wider than ``width`` px; signs that the font lacks change."""
    text = one_line(text).replace(SPACE, " ").replace(TIMES, "x")
    if font(size).getlength(text) <= width:
        return text
    kept = len(text)
    while kept > 2 and font(size).getlength(shorter := f"{text[: kept // 2]}…{text[-(kept // 2) :]}") > width:
        kept -= 1
    return shorter


def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font, ``size`` px high."""
    loaded = ImageFont.load_default(size)
    assert isinstance(loaded, ImageFont.FreeTypeFont)
    return loaded


def save_png(picture: Image.Image, path: Path) -> None:
    """``picture`` at ``path``, complete or not at all."""
    with atomic_write(path) as temporary:
        picture.save(temporary, "png", optimize=True)
