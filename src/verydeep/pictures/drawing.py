"""Words on pictures that Pillow draws: colors, a font, and text cut to the room that there is."""

from PIL import ImageFont

from verydeep.tables.format import SPACE, TIMES

PAPER, INK, DIM, BLUE = "#ffffff", "#17212b", "#586571", "#0067b0"


def cut(text: str, room: float, size: int) -> str:
    """``text`` with its middle left out where it is wider than ``room`` px; signs that the font lacks go."""
    text = text.replace(SPACE, " ").replace(TIMES, "x")
    if font(size).getlength(text) <= room:
        return text
    kept = len(text)
    while kept > 2 and font(size).getlength(shorter := f"{text[: kept // 2]}…{text[-(kept // 2) :]}") > room:
        kept -= 1
    return shorter


def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own letters, ``size`` px high."""
    letters = ImageFont.load_default(size)
    assert isinstance(letters, ImageFont.FreeTypeFont)
    return letters
