"""The page of a compression: all numbers are in it, whatever is missing, and text is escaped."""

from base64 import b64decode
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from verydeep.compress.settings import Limit
from verydeep.report.compression.page import render_compression_page, write_compression_page

from ..html import Outline, check_page, titles, words
from .compressions import candidate, candidates, comparison, network, result

COMMAND = "verydeep compress runs/fast --drop 15"
NAMES = tuple(f"class {number}" for number in range(100))


def page(*arguments, **changes):
    return render_compression_page(result(*arguments, **changes), command=COMMAND)


def many_classes():
    labels = tuple(range(100)) * 30
    return comparison(labels, labels, tuple(reversed(labels)), NAMES)


RESULTS = {
    "usual": {},
    "no test": {"test": None},
    "no labels": {"shown": comparison(labels=None), "test": None},
    "two classes": {"shown": comparison((0, 1), (0, 1), (0, 1), ("a", "b"))},
    "100 classes, thousands of images": {"shown": many_classes()},
    "photographs": {"shown": comparison(channels=3, side=120)},
    "nothing kept": {"tried": (candidate("original", why=""),)},
    "limit of latency": {"limit": Limit(kind="latency", value=1.5)},
    "limit of bytes": {"limit": Limit(kind="bytes", value=4000.0)},
    "many candidates": {
        "tried": (*candidates()[:1], *(candidate("narrow", kept=False),) * 30, *candidates()[2:])
    },
    "another network": {
        "tried": (
            candidates()[0],
            replace(candidate("scratch"), checkpoint=network("8 M 8 M 16 | gap 32", input=(1, 32, 32))),
        ),
    },
}


@pytest.mark.parametrize("changes", RESULTS.values(), ids=RESULTS)
def test_a_page_is_well_formed_html_without_external_resources(changes):
    shown = page(**changes)
    check_page(shown)
    assert titles(shown)[:2] == ["Trade-off", "Before and after"]


def test_the_verdict_has_loss_bound_images_test_and_limit():
    shown = words(page(notes=("no validation images, which flatters the original",)))
    assert shown.startswith(
        "30.0\N{MULTIPLICATION SIGN} smaller and 2.0\N{MULTIPLICATION SIGN} faster verydeep"
    )
    assert "30.0\N{MULTIPLICATION SIGN} smaller and 2.0\N{MULTIPLICATION SIGN} faster" in shown
    assert (
        "It loses 10.00 points of accuracy on the 20 images that decided; with 95 % confidence, it loses at"
        in shown
    )
    assert (
        "On 200 test images, read once: 90.00 % before, 85.00 % after, \N{MINUS SIGN}5.00 points "
        "(95 % interval \N{MINUS SIGN}8.00 to \N{MINUS SIGN}2.00)." in shown
    )
    assert "Asked for: a loss of at most 15 points." in shown
    assert "Note: no validation images, which flatters the original." in shown


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (Limit(kind="drop", value=0.5, strict=True), "a loss of at most 0.5 points, with 95 % confidence."),
        (Limit(kind="latency", value=5.0), "at most 5 ms, with the least loss."),
        (Limit(kind="bytes", value=60_000.0), "a file of at most 60.0 kB, with the least loss."),
    ],
)
def test_the_limit_is_stated_in_words(limit, text):
    shown = words(page(limit=limit))
    assert f"Asked for: {text}" in shown
    assert ("All of this line must lie above the limit." in shown) == limit.strict


def test_a_gain_and_equality_are_said_as_such():
    better = result(comparison(after=comparison().labels.tolist()))
    assert "It gains 10.00 points of accuracy" in words(render_compression_page(better, command=COMMAND))
    same = result(comparison(after=comparison().before.argmax(1).tolist()))
    assert "It has the same accuracy as the original on" in words(
        render_compression_page(same, command=COMMAND)
    )


def test_without_labels_it_is_about_agreement():
    shown = words(page(**RESULTS["no labels"]))
    assert "It predicts the class of the original for 75.00 % of the 20 images that decided" in shown
    assert "Agreement of each class" in shown and "true:" not in shown and "test images" not in shown


def test_balanced_accuracy_is_that_of_the_original_plus_the_difference():
    shown = words(page(balanced=True))
    assert "points of balanced accuracy" in shown
    original = 100 * (0.9 + 5 / 6 + 1) / 3
    assert f"original {original:.2f} %" in shown


def test_a_network_that_is_neither_smaller_nor_faster_is_said_to_be_so():
    tried = (candidate("original", why=""), candidate("narrow", latency_ms=4.0))
    shown = result(tried=tried)
    shown = replace(shown, result=replace(shown.result, bytes=90_000))
    assert "About as large and 2.0\N{MULTIPLICATION SIGN} slower" in words(
        render_compression_page(shown, command=COMMAND)
    )


def test_before_and_after_are_side_by_side_with_their_ratio():
    shown = words(page())
    latency = "Latency 2 ms 1 ms 2.0\N{MULTIPLICATION SIGN} faster batch 1, 1 thread, in the same turns"
    file = "File 90.0 kB 3.00 kB 30.0\N{MULTIPLICATION SIGN} smaller 90,000 to 3,000 bytes"
    assert latency in shown and file in shown


def test_candidates_have_all_numbers_and_why():
    shown = words(page())
    assert "narrow 50.00 % \N{MINUS SIGN}40.00 \N{MINUS SIGN}45.00 to \N{MINUS SIGN}35.00 0.5 ms" in shown
    assert "8 M 8 | gap Rejected: because." in shown and "8 M 24 | gap The result: because." in shown
    assert "Where it began." in shown
    assert "The other 21 candidates" in words(page(**RESULTS["many candidates"]))
    alone = words(page(**RESULTS["nothing kept"]))
    assert "nothing smaller was kept" in alone and "MACs per image same" in alone


def test_both_diagrams_are_drawn_to_the_same_scale():
    images = [image for image in Outline(page()).each("img") if image["src"].startswith("data:image/svg")]
    assert len(images) == 2 and all("parameters" in image["alt"] for image in images)
    before, after = (ElementTree.fromstring(b64decode(image["src"].split(",")[1])) for image in images)

    def widths(root):
        return [
            float(each.get("width"))
            for each in root.iter("{http://www.w3.org/2000/svg}rect")
            if each.get("class") == "front"
        ]

    assert widths(after)[0] < widths(before)[0]


def test_classes_and_images_say_what_changed():
    shown = words(page())
    assert "cat 10 90.0 % 60.0 % \N{MINUS SIGN}30.0 3 0" in shown
    assert "true: cat before: cat 90 % after: dog 90 %" in shown
    many = words(page(**RESULTS["100 classes, thousands of images"]))
    assert "The other 75 classes" in many and "3,000 of the 3,000 images that decided" in many


def test_names_and_notes_are_escaped():
    evil = "<script>alert('owl')</script>"
    shown = page(
        comparison(classes=(evil, f"long {'name ' * 40}", "owl")),
        tried=tuple(replace(each, why=evil) for each in candidates()),
        notes=(evil,),
    )
    assert "<script" not in shown and shown.count("&lt;script&gt;") >= 8
    assert Outline(shown).open == []


def test_the_page_is_written_complete(tmp_path):
    write_compression_page(result(), tmp_path / "report.html", command=COMMAND)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page()
