"""The page of an evaluation, and its reliability diagram."""

import pytest
import torch

from verydeep.evaluate.calibration import Calibration, CalibrationBin
from verydeep.evaluate.evaluation import evaluate_logits
from verydeep.report.evaluation_page import EvaluationReport, render_evaluation, write_evaluation
from verydeep.report.reliability_diagram import BOTTOM, LEFT, RIGHT, TOP, reliability_diagram
from verydeep.report.training_page import picture

from .runs import mistake
from .test_training_page import Outline, words

CLASSES = ("cat", "dog", "owl", "crow")


def assessment(temperature=None, groups=None, classes=CLASSES, count=200):
    """Of a network that is right about two times in three; the last class has no images."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(len(classes) - 1, (count,), generator=generator)
    logits = torch.randn(count, len(classes), generator=generator)
    logits[torch.arange(count), labels] += 2
    return evaluate_logits(logits, labels, classes, groups=groups, temperature=temperature)


def report(measured, **changes):
    wrong, image = mistake()
    settings = {
        "title": "vgg-tiny on birds", "images": "200 images", "protocol": "protocol dense at 256 px",
        "evaluation": measured, "pictures": (picture(wrong, image, "owl/1.png"),), "notes": ("A note.",),
        "command": "verydeep evaluate runs/a birds",
    }  # fmt: skip
    return EvaluationReport(**settings | changes)


GROUPS = tuple(str(number % 20) for number in range(200))
PAGES = {
    "plain": report(assessment()),
    "scaled": report(assessment(temperature=1.5)),
    "grouped": report(assessment(groups=GROUPS)),
    "bare": report(assessment(), pictures=(), notes=()),
    "30 classes": report(assessment(classes=tuple(f"class {number}" for number in range(30)))),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_formed_and_asks_nothing_of_the_network(name):
    page = render_evaluation(PAGES[name])
    outline = Outline(page)
    assert outline.open == []
    assert "https:" not in page and "<script" not in page
    assert all(image["alt"] for image in outline.each("img"))


def test_the_numbers_stand_beside_their_intervals():
    measured = assessment()
    text = words(render_evaluation(report(measured)))
    for name, value in (
        ("Accuracy", measured.top1),
        ("Balanced accuracy", measured.balanced_accuracy),
        ("Macro-F1", measured.macro_f1),
    ):
        assert f"{name} {100 * value:.2f} % 95 % interval" in text
    for fact in ("No images of crow", "200 images", "protocol dense at 256 px", "A note.", "Brier score"):
        assert fact in text
    assert "No temperature scaling" in text and "Calibration error, scaled" not in text


def test_a_temperature_is_shown_with_what_it_mends():
    measured = assessment(temperature=1.5)
    text = words(render_evaluation(report(measured)))
    assert f"Calibration error, scaled {100 * measured.scaled.calibration.error:.2f} %" in text
    assert "a temperature of 1.500, which was fitted on validation images: the network was overconfident" in text


def test_groups_are_said():
    assert "of 20 groups, which the intervals resample" in words(render_evaluation(PAGES["grouped"]))


def test_names_are_text():
    evil = "<script>alert(1)</script>"
    measured = assessment(classes=(evil, "dog", "owl", evil + "2"))
    wrong, image = mistake(evil)
    page = render_evaluation(
        report(measured, title=evil, images=evil, pictures=(picture(wrong, image, evil),), notes=(evil,))
    )
    assert "<script" not in page and Outline(page).open == []


def test_a_page_is_written(tmp_path):
    write_evaluation(PAGES["plain"], tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == render_evaluation(PAGES["plain"])


def test_a_dot_lies_where_it_is_sure_and_right():
    sure = CalibrationBin(low=0.9, high=1.0, images=75, confidence=1.0, accuracy=0.0)
    unsure = CalibrationBin(low=0.0, high=0.1, images=25, confidence=0.0, accuracy=1.0)
    (curve,) = reliability_diagram(Calibration((unsure, sure))).curves
    assert [(dot.x, dot.y) for dot in curve.dots] == [(LEFT, TOP), (RIGHT, BOTTOM)]
    first, second = (dot.radius for dot in curve.dots)
    assert second**2 == pytest.approx(3 * first**2)  # areas are shares
    assert curve.error.startswith("100.00")


def test_before_and_after_share_a_figure():
    measured = assessment(temperature=2.0)
    figure = reliability_diagram(measured.calibration, measured.scaled)
    assert [curve.kind for curve in figure.curves] == ["raw", "scaled"]
    assert all(curve.error in figure.description for curve in figure.curves)
