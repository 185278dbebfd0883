"""Every character of a text is drawn: by a font that has it, without its accent, or as an escape."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from verydeep.pictures import font as fonts
from verydeep.pictures.drawing import draw_text
from verydeep.pictures.font import _missing, font, legible


@pytest.fixture
def own_font_alone(monkeypatch):
    monkeypatch.setattr(fonts, "_system_fonts", lambda size: ())


def test_letters_without_accents_are_drawn_by_pillows_own_font():
    text, drawn_by = legible("cat-2.png (98 %)", 22)
    assert text == "cat-2.png (98 %)" and drawn_by.getname() == font(22).getname()


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("café", "cafe"),
        ("강아지", r"\uac15\uc544\uc9c0"),
        ("Ω", r"\u03a9"),
        ("x²", "x2"),
        ("🐈", r"\U0001f408"),
    ],
)
def test_without_another_font_a_missing_character_is_replaced(own_font_alone, text, drawn):
    assert legible(text, 22)[0] == drawn


def test_a_font_of_the_system_is_taken_where_it_has_more_characters():
    text, drawn_by = legible("Ωмега", 22)
    if drawn_by.getname() == font(22).getname():
        pytest.skip("this system has none of the fonts in SYSTEM_FONTS")
    assert text == "Ωмега" and not _missing(text, drawn_by)


def test_a_name_is_drawn_without_a_box(own_font_alone):
    canvas = Image.new("RGB", (300, 40), "white")
    draw_text(ImageDraw.Draw(canvas), (4, 4), "é", "black", 22, 280.0)
    plain = Image.new("RGB", (300, 40), "white")
    draw_text(ImageDraw.Draw(plain), (4, 4), "e", "black", 22, 280.0)
    assert np.array_equal(np.asarray(canvas), np.asarray(plain))
