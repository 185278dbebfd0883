"""Pictures and pages of heat maps: the image, the heat over it, and the texts."""

import os
import re

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from verydeep.explain.heat_map import HeatMap
from verydeep.pictures.heat_map_image import (
    blend,
    class_text,
    image_of,
    overlay_of,
    write_heat_map_image,
)
from verydeep.pictures.inferno import inferno
from verydeep.report.heat_map_page import heat_map_entry, write_heat_map_page


@pytest.fixture
def heat_map():
    heat = np.zeros((28, 28), np.float32)
    heat[:14, :14] = 1
    return HeatMap(
        pixels=np.full((1, 28, 28), 100, np.uint8), heat=heat, label="shoe", probability=0.25,
        predicted="<boot>", confidence=0.7, method="grad-cam", layer="relu3_1",
    )  # fmt: skip


def test_more_heat_has_a_higher_opacity(heat_map):
    picture = overlay_of(heat_map)
    maximum = 255 * np.array(colormaps["inferno"](1.0)[:3])
    assert picture[:, 0, 0] == pytest.approx(0.2 * 100 + 0.8 * maximum, abs=1)
    assert picture[:, 27, 27] == pytest.approx(0.8 * 100, abs=2)
    assert image_of(heat_map).shape == (3, 28, 28) and (image_of(heat_map) == 100).all()


def test_the_colors_are_those_of_matplotlib():
    heat = np.linspace(0, 1, 1001)[None]
    assert np.abs(inferno(heat) - 255 * colormaps["inferno"](heat)[..., :3]).max() <= 0.5 + 1e-9


def test_more_heat_is_brighter_in_gray_too():  # the color map is perceptually uniform
    heat = np.linspace(0, 1, 50)[None]
    red, green, blue = blend(np.full_like(heat, 60.0), heat)[:, 0].astype(float)
    brightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert (np.diff(brightness[10:]) > 0).all()


def test_the_text_has_the_explained_and_the_predicted_class(heat_map):
    assert re.sub(r"\s", " ", class_text(heat_map)) == "shoe 25.0 % (predicted: <boot> 70.0 %)"


def test_the_png_has_the_image_and_the_overlay_enlarged_pixel_by_pixel(heat_map, tmp_path):
    write_heat_map_image(heat_map, "a long name.png", tmp_path / "heat.png")
    with Image.open(tmp_path / "heat.png") as opened:
        counts = {color: count for count, color in opened.convert("RGB").getcolors(1 << 20)}
    assert counts[(100, 100, 100)] == 280**2
    assert counts[tuple(overlay_of(heat_map)[:, 0, 0].tolist())] >= 140**2


def test_the_page_is_one_file_and_escapes_names(heat_map, tmp_path):
    write_heat_map_page(
        [heat_map_entry(heat_map, "a&b.png")] * 2, "vgg-tiny · grad-cam", tmp_path / "index.html", 2
    )
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert len(re.findall(r'src="data:image/png', page)) == 4
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "a&amp;b.png" in page and "&lt;boot&gt;" in page and "2 images" in page
    assert "linear-gradient(to right, rgb(" in page


def test_a_name_that_is_not_utf_8_is_escaped(heat_map, tmp_path):
    entry = heat_map_entry(heat_map, os.fsdecode(b"latin-\xe4.png"))
    write_heat_map_page([entry], "vgg-tiny", tmp_path / "index.html", 1)
    assert r"latin-\xe4.png" in (tmp_path / "index.html").read_text(encoding="utf-8")
