import re
from base64 import b64decode
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from verydeep.report.training_page import render, write_page
from verydeep.number_format import NONE, TIMES

from .runs import epoch, evaluation, mistake, report

VOID = {"meta", "link", "img", "br", "rect", "path", "circle", "polyline"}
"""Tags that the page leaves open in HTML, or closes in themselves in SVG."""


class Outline(HTMLParser):
    """The tags of a page, which must nest."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def each(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def words(page):
    """The text of a page, as a reader has it."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


RUNS = {
    "whole": report(),
    "bare": report(validation=None, epochs=(), mistakes=()),
    "one class": report(test=evaluation(("cat",)), validation=None),
    "100 classes": report(test=evaluation(tuple(f"class {number}" for number in range(100)))),
    "photographs": report(
        mistakes=(mistake(channels=3, side=120),), architecture_string="64k7s2 (64 64)x3 | gap"
    ),
    "no validation": report(validation=None, epochs=(epoch(1, val_loss=None, val_top1=None),)),
}


@pytest.fixture(scope="module", params=RUNS.values(), ids=RUNS)
def page(request):
    return render(request.param)


def test_tags_nest(page):
    assert Outline(page).open == []


def test_nothing_is_asked_of_the_network(page):
    assert not re.search(r"https?:|url\(|@import|<script|<iframe|javascript:", page)
    outline = Outline(page)
    references = [
        attributes[key] for _, attributes in outline.tags for key in ("src", "href") if key in attributes
    ]
    assert all(reference.startswith("data:") for reference in references)
    assert "default-src 'none'" in page


def test_light_dark_phone_and_paper_are_provided_for(page):
    for query in ("prefers-color-scheme: dark", "max-width: 520px", "@media print", 'name="viewport"'):
        assert query in page


def test_figures_have_words_and_tables_have_headers(page):
    outline = Outline(page)
    assert all(image["alt"] for image in outline.each("img"))
    assert all(
        (drawing.get("role") == "img" and drawing["aria-label"]) or drawing.get("aria-hidden")
        for drawing in outline.each("svg")
    )
    assert outline.each("th") and all(header["scope"] in ("row", "col") for header in outline.each("th"))


def test_the_headline_has_the_accuracy_with_its_interval():
    text = words(render(report()))
    assert "Test accuracy 93.33 %" in text
    assert "95 % interval 89.93 % to 95.64 %" in text  # of 280 in 300
    for fact in ("2 min 05 s", "1 h 02 min in all", "279 k", "279,114", "0.321 nats", "1.23 %", "300 images"):
        assert fact in text


def test_top_5_is_shown_where_there_are_more_than_five_classes():
    assert "Top-5" not in words(render(report()))
    assert "Top-5 accuracy 100.00 %" in words(render(report(test=evaluation(tuple("abcdef")))))


def test_a_run_can_be_repeated_from_its_page():
    text = words(render(report()))
    for fact in (
        "verydeep train fast --seed 7",
        'model = "vgg-tiny" epochs = 2',
        "an invented one",
        f"1 {TIMES} 28 {TIMES} 28",
        "21,912,345",
    ):
        assert fact in text


def test_class_names_and_commands_are_text():
    evil = "<script>alert('owl')</script>"
    page = render(
        report(
            title=evil,
            architecture_string=evil,
            test=evaluation((evil, "dog")),
            mistakes=(mistake(evil),),
            command=f'verydeep train "{evil}"',
            recipe_toml=f"# </pre>{evil}",
            machine={evil: evil},
        )
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 8
    assert Outline(page).open == []


def test_many_class_names_are_text_too():
    evil = "</svg><script>"
    page = render(report(test=evaluation((evil, *(f"class {number}" for number in range(40))))))
    assert "<script" not in page


def test_what_is_missing_leaves_no_hole():
    text = words(render(RUNS["bare"]))
    for heading in ("Learning", "Sure, and wrong", "Validation"):
        assert heading not in text
    assert "Validation" not in words(render(RUNS["no validation"]))
    assert "validation" not in words(render(RUNS["no validation"]))


def test_a_class_without_images_has_no_accuracy():
    test = replace(evaluation(), confusion=((80, 20, 0), (0, 100, 0), (0, 0, 0)))
    text = words(render(report(test=test)))
    assert f"owl {NONE} {NONE} {NONE} 0 {NONE}" in text  # recall, precision, F1; rival
    assert "Balanced accuracy 90.00 %" in text
    assert "No images of owl; means over classes leave them out." in text


def test_few_classes_show_counts_and_many_a_map():
    assert '<table class="matrix"' in render(RUNS["whole"])
    assert 'class="map"' in render(RUNS["100 classes"])
    assert "The other 75 classes" in render(RUNS["100 classes"])


@pytest.mark.parametrize(("channels", "side", "kind"), [(1, 28, "PNG"), (3, 32, "PNG"), (3, 120, "JPEG")])
def test_mistakes_are_pictures_inside_the_page(channels, side, kind):
    wrong, image = mistake(channels=channels, side=side)
    page = render(report(mistakes=((wrong, image),)))
    (shown,) = Outline(page).each("img")
    decoded = Image.open(BytesIO(b64decode(shown["src"].partition(",")[2])))
    assert (decoded.format, decoded.size) == (kind, (side, side))
    assert ("class" in shown) == (kind == "PNG")  # crisp pixels for small images alone
    if kind == "PNG":
        assert np.array_equal(np.atleast_3d(decoded), image.transpose(1, 2, 0))
    assert "true: cat predicted: dog 97.3 %" in words(page)


def test_a_page_is_written_whole_and_over_an_older_one(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("older")
    write_page(report(), path)
    assert path.read_text(encoding="utf-8") == render(report())
    assert list(tmp_path.iterdir()) == [path]
