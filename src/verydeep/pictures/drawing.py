"""Drawing with Pillow: a canvas with a title, colors, and text that is shortened to a width."""

from pathlib import Path

from PIL import Image, ImageDraw

from verydeep.atomic_write import atomic_write
from verydeep.foreign_text import one_line
from verydeep.number_format import SPACE, TIMES
from verydeep.pictures.font import Font, legible

PAPER, INK, DIM, BLUE = "#ffffff", "#17212b", "#586571", "#0067b0"
MARGIN = 24
"""Around the content of a picture, in px."""


def titled_canvas(width: int, height: int, title: str, subtitle: str) -> Image.Image:
    """A blank picture with ``title`` and ``subtitle`` at the top."""
    canvas = Image.new("RGB", (width, height), PAPER)
    draw, text_width = ImageDraw.Draw(canvas), float(width - 2 * MARGIN)
    draw_text(draw, (MARGIN, MARGIN - 4), title, INK, 22, text_width)
    draw_text(draw, (MARGIN, MARGIN + 28), subtitle, DIM, 14, text_width)
    return canvas


def draw_text(
    draw: ImageDraw.ImageDraw,
    position: tuple[int, int],
    text: str,
    color: str,
    size: int,
    width: float,
) -> None:
    """Draw ``text``, ``size`` px high, in one line, without its middle where it is wider than ``width``."""
    text, drawn_by = legible(one_line(text).replace(SPACE, " ").replace(TIMES, "x"), size)
    draw.text(position, shorten_text(text, width, drawn_by), color, drawn_by)


def shorten_text(text: str, width: float, drawn_by: Font) -> str:
    """``text``, without its middle if it is wider than ``width`` px."""
    if drawn_by.getlength(text) <= width:
        return text
    kept = len(text)
    while kept > 2 and drawn_by.getlength(shorter := f"{text[: kept // 2]}…{text[-(kept // 2) :]}") > width:
        kept -= 1
    return shorter


def save_png(picture: Image.Image, path: Path) -> None:
    """``picture`` at ``path``, complete or not at all."""
    with atomic_write(path) as temporary:
        picture.save(temporary, "png", optimize=True)
