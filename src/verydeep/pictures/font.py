"""A font that has the characters of a text: Pillow's own, with Latin letters without accents, or another."""

import unicodedata
from functools import cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont

SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansKR-Regular.otf",
    "NanumGothic.ttf",
    "malgun.ttf",
    "msyh.ttc",
    "AppleSDGothicNeo.ttc",
    "PingFang.ttc",
    "Arial Unicode.ttf",
)
"""Files of fonts that Linux, Windows or macOS may have; Pillow looks for them in the system's folders."""
_NO_CHARACTER = "\U0010ffff"
"""No font has it: it is drawn as the box of a missing character."""


def font(size: int) -> Font:
    """Pillow's own font, ``size`` px high."""
    loaded = ImageFont.load_default(size)
    assert isinstance(loaded, Font)
    return loaded


def legible(text: str, size: int) -> tuple[str, Font]:
    r"""``text`` and the font that has the most of its characters.

    A character that it lacks is replaced: by the letter without its accent, or an escape such as ``\uac15``.
    """
    best = min((font(size), *_system_fonts(size)), key=lambda each: len(_missing(text, each)))
    lacking = _missing(text, best)
    return "".join(_replaced(each, best) if each in lacking else each for each in text), best


@cache
def _system_fonts(size: int) -> tuple[Font, ...]:
    return tuple(found for name in SYSTEM_FONTS if (found := _font_of_system(name, size)) is not None)


def _font_of_system(name: str, size: int) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def _missing(text: str, drawn_by: Font) -> set[str]:
    """The characters of ``text`` that are drawn as boxes."""
    box = _drawing(_NO_CHARACTER, drawn_by)
    return {each for each in set(text) if not each.isspace() and _drawing(each, drawn_by) == box}


def _drawing(character: str, drawn_by: Font) -> tuple[tuple[int, int], bytes]:
    mask = drawn_by.getmask(character)
    return mask.size, bytes(mask)


def _replaced(character: str, drawn_by: Font) -> str:
    parts = unicodedata.normalize("NFKD", character)
    letter = "".join(part for part in parts if not unicodedata.combining(part))
    if letter and not _missing(letter, drawn_by):
        return letter
    return character.encode("ascii", "backslashreplace").decode()
