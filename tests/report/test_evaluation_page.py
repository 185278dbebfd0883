"""The page of an evaluation, and its reliability diagram."""

from pathlib import Path

import pytest
import torch

from verydeep.data.samples import UnreadableImage
from verydeep.evaluate.calibration import Calibration, CalibrationBin
from verydeep.evaluate.evaluate_images import EvaluationResult
from verydeep.evaluate.evaluation import evaluate_logits
from verydeep.evaluate.labeled_images import LabeledImages
from verydeep.evaluate.protocols import Protocol
from verydeep.report.evaluation_page import render_evaluation_page, write_evaluation_page
from verydeep.report.reliability_diagram import BOTTOM, LEFT, RIGHT, TOP, reliability_diagram

from .runs import mistake
from .test_training_page import Outline, words

CLASSES = ("cat", "dog", "owl", "crow")
COMMAND = "verydeep evaluate runs/a birds"


def evaluation(temperature=None, groups=None, classes=CLASSES, count=200):
    """Of a network that is correct about two times in three; the last class has no images."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(len(classes) - 1, (count,), generator=generator)
    logits = torch.randn(count, len(classes), generator=generator)
    logits[torch.arange(count), labels] += 2
    return evaluate_logits(logits, labels, classes, groups=groups, temperature=temperature)


def result(measured, name="birds", **changes):
    wrong, _ = mistake()
    images = LabeledImages(
        name=name, source=torch.zeros(50, 1, 28, 28, dtype=torch.uint8), labels=torch.zeros(50).long(),
        groups=None, part="test", description=f"200 images of {name}",
    )  # fmt: skip
    settings = {
        "network": "vgg-tiny", "images": images, "protocol": Protocol("dense", (256,), True),
        "evaluation": measured, "mistakes": (wrong,), "broken": (UnreadableImage(Path("x.png"), "x.png is empty"),),
        "unused_temperature": False,
    }  # fmt: skip
    return EvaluationResult(**settings | changes)


def render(made):
    return render_evaluation_page(made, command=COMMAND)


GROUPS = tuple(str(number % 20) for number in range(200))
PAGES = {
    "plain": result(evaluation()),
    "scaled": result(evaluation(temperature=1.5)),
    "grouped": result(evaluation(groups=GROUPS)),
    "bare": result(evaluation(), mistakes=(), broken=()),
    "30 classes": result(evaluation(classes=tuple(f"class {number}" for number in range(30)))),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_formed_html_without_external_resources(name):
    page = render(PAGES[name])
    outline = Outline(page)
    assert outline.open == []
    assert "https:" not in page and "<script" not in page
    assert all(image["alt"] for image in outline.each("img"))


def test_metrics_have_confidence_intervals():
    measured = evaluation()
    text = words(render(result(measured)))
    for name, value in (
        ("Accuracy", measured.top1),
        ("Balanced accuracy", measured.balanced_accuracy),
        ("Macro-F1", measured.macro_f1),
    ):
        assert f"{name} {100 * value:.2f} % 95 % interval" in text
    facts = (
        "No images of crow", "200 images of birds", "protocol dense at 256 px, with mirror images",
        "Unreadable files, which are left out: 1.", "Brier score", COMMAND,
    )  # fmt: skip
    for fact in facts:
        assert fact in text
    assert 'title="image 41"' in render(result(measured))
    assert "No temperature scaling" in text and "Calibration error, scaled" not in text


def test_a_temperature_is_shown_with_the_scaled_metrics():
    measured = evaluation(temperature=1.5)
    text = words(render(result(measured)))
    assert f"Calibration error, scaled {100 * measured.scaled.calibration.error:.2f} %" in text
    assert (
        "a temperature of 1.500, which was fitted on validation images: the network was overconfident" in text
    )


def test_an_unused_temperature_is_noted():
    text = words(render(result(evaluation(), unused_temperature=True)))
    assert "the temperature was fitted for the single-crop protocol" in text


def test_groups_are_counted():
    assert "intervals resample 20 groups" in words(render(PAGES["grouped"]))


def test_names_are_escaped():
    evil = "<script>alert(1)</script>"
    measured = evaluation(classes=(evil, "dog", "owl", evil + "2"))
    wrong, _ = mistake(evil)
    page = render(result(measured, name=evil, network=evil, mistakes=(wrong,)))
    assert "<script" not in page and Outline(page).open == []


def test_a_page_is_written(tmp_path):
    write_evaluation_page(PAGES["plain"], tmp_path / "page.html", command=COMMAND)
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == render(PAGES["plain"])


def test_a_dot_is_at_its_confidence_and_accuracy():
    confident = CalibrationBin(low=0.9, high=1.0, images=75, confidence=1.0, accuracy=0.0)
    unconfident = CalibrationBin(low=0.0, high=0.1, images=25, confidence=0.0, accuracy=1.0)
    (curve,) = reliability_diagram(Calibration((unconfident, confident))).curves
    assert [(dot.x, dot.y) for dot in curve.dots] == [(LEFT, TOP), (RIGHT, BOTTOM)]
    first, second = (dot.radius for dot in curve.dots)
    assert second**2 == pytest.approx(3 * first**2)  # areas are shares
    assert curve.error.startswith("100.00")


def test_unscaled_and_scaled_curves_are_in_one_figure():
    measured = evaluation(temperature=2.0)
    figure = reliability_diagram(measured.calibration, measured.scaled)
    assert [curve.css_class for curve in figure.curves] == ["raw", "scaled"]
    assert all(curve.error in figure.description for curve in figure.curves)
