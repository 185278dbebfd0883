"""Bar charts in files: the file format, the names, and equal bytes for equal charts."""

import pytest
from PIL import Image

from verydeep.analyze.compare import compare
from verydeep.analyze.memory import estimate_memory
from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.errors import ArchitectureError
from verydeep.pictures.cost_image import MAX_BARS, _bars, save_comparison_picture, save_layer_picture


def test_png_is_an_image(tmp_path):
    save_layer_picture(trace(zoo.resolve("vgg16")), tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as image:
        assert image.format == "PNG" and image.width > 1000


def test_svg_has_names_as_text_and_equal_bytes(tmp_path):
    for file in ("a.svg", "b.svg"):
        save_comparison_picture(compare(map(zoo.resolve, ("vgg16", "vgg-tiny"))), tmp_path / file)
    text = (tmp_path / "a.svg").read_text()
    assert "vgg16" in text and "138" in text and "not published" in text
    assert text == (tmp_path / "b.svg").read_text()


@pytest.mark.parametrize("name", zoo.names())
def test_bars_are_few_enough_and_add_up(name):
    traced = trace(zoo.resolve(name))
    bars = _bars(traced, None)
    assert len(bars) <= MAX_BARS
    assert sum(bar.activations for bar in bars) == traced.totals.activations
    assert sum(bar.parameters for bar in bars) == traced.totals.parameters


def test_the_first_bar_of_memory_is_the_input(tmp_path):
    architecture = zoo.resolve("vgg-small")
    estimate = estimate_memory(architecture, 2)
    bars = _bars(trace(architecture), estimate)
    assert bars[0].name == "input"
    assert (
        sum(bar.activations for bar in bars) == estimate.activations - estimate.layers[-1].saved
    )  # all but the loss
    save_layer_picture(trace(architecture), tmp_path / "p.svg", estimate)
    assert "batch 2" in (tmp_path / "p.svg").read_text()


def test_another_suffix_is_an_error_and_nothing_is_written(tmp_path):
    with pytest.raises(ArchitectureError, match=r"ends in .png or .svg, 'p.pdf' given; use p.png"):
        save_layer_picture(trace(zoo.resolve("vgg11")), tmp_path / "p.pdf")
    assert not list(tmp_path.iterdir())
