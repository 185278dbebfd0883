"""The page of an evaluation, and its reliability diagram."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verydeep.evaluate.calibration import Calibration, CalibrationBin
from verydeep.evaluate.evaluate_images import EvaluationResult
from verydeep.evaluate.labeled_images import LabeledImages
from verydeep.evaluate.protocols import Protocol
from verydeep.image_sources.image_source import UnreadableImage
from verydeep.number_format import percent
from verydeep.report.charts.reliability_diagram import (
    BOTTOM,
    LEFT,
    MAX_RADIUS,
    MIN_RADIUS,
    RIGHT,
    TOP,
    reliability_diagram,
)
from verydeep.report.evaluation_page import render_evaluation_page, write_evaluation_page

from .evaluations import evaluation, many_classes, mistake
from .html import Outline, check_page, words

CLASSES = ("cat", "dog", "owl", "crow")
CONFUSION = ((50, 15, 5, 0), (10, 50, 5, 5), (0, 10, 50, 0), (0, 0, 0, 0))
"""150 of 200 images are correct; there are no crows, but 5 dogs are predicted as crows."""
COMMAND = "verydeep evaluate runs/a birds"


def measured(classes=CLASSES, **options):
    return evaluation(CONFUSION, classes, **options)


def result(evaluation, name="birds", **changes):
    images = LabeledImages(
        name=name, source=np.zeros((50, 1, 28, 28), np.uint8), labels=np.zeros(50, np.int64),
        groups=None, part="test", description=f"200 images of {name}",
    )  # fmt: skip
    values = {
        "network": "vgg-tiny", "images": images, "protocol": Protocol("dense", (256,), True),
        "evaluation": evaluation, "mistakes": (mistake(),), "unused_temperature": False,
        "broken": (UnreadableImage(Path("x.png"), "x.png is empty", "empty"),),
    }  # fmt: skip
    return EvaluationResult(**values | changes)


def render(result):
    return render_evaluation_page(result, command=COMMAND)


PAGES = {
    "plain": result(measured()),
    "scaled": result(measured(temperature=1.5)),
    "grouped": result(measured(groups=20)),
    "bare": result(measured(), mistakes=(), broken=()),
    "30 classes": result(many_classes(30)),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_formed_html_without_external_resources(name):
    check_page(render(PAGES[name]))


def test_metrics_have_confidence_intervals():
    evaluation = measured()
    text = words(render(result(evaluation)))
    for name, measure in (
        ("Accuracy", "top1"),
        ("Balanced accuracy", "balanced_accuracy"),
        ("Macro-F1", "macro_f1"),
    ):
        each = evaluation.intervals[measure]
        assert (
            f"{name} {100 * each.value:.2f} % 95 % interval {100 * each.low:.2f} % to {100 * each.high:.2f} %"
            in text
        )
    assert "Accuracy 75.00 %" in text
    facts = (
        "No images of crow", "200 images of birds", "protocol dense at 256 px, with mirror images",
        "Unreadable files, which are left out: 1.", "Brier score", COMMAND,
    )  # fmt: skip
    for fact in facts:
        assert fact in text
    assert 'title="image 41"' in render(result(evaluation))
    assert "true: cat predicted: dog confidence: 97.3 % image 41" in text
    assert "No temperature scaling" in text and "Calibration error, scaled" not in text


def test_a_temperature_is_shown_with_the_scaled_metrics():
    evaluation = measured(temperature=1.5)
    text = words(render(result(evaluation)))
    assert f"Calibration error, scaled {100 * evaluation.scaled.calibration.error:.2f} %" in text
    assert (
        "a temperature of 1.500, which was fitted on validation images: the network was overconfident" in text
    )


def test_an_unused_temperature_is_noted():
    text = words(render(result(measured(), unused_temperature=True)))
    assert "the temperature was fitted for the single-crop protocol" in text


def test_groups_are_counted():
    assert "images of 20 groups, which are alike" in words(render(PAGES["grouped"]))


def test_names_are_escaped():
    evil = "<script>alert(1)</script>"
    evaluation = measured(classes=(evil, "dog", "owl", evil + "2"))
    page = render(result(evaluation, name=evil, network=evil, mistakes=(mistake(evil),)))
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
    assert curve.error == "100.00\N{NO-BREAK SPACE}%"
    assert curve.path == f"{LEFT}.0,{TOP}.0 {RIGHT}.0,{BOTTOM}.0"
    assert curve.dots[1].label.replace("\N{NO-BREAK SPACE}", " ") == (
        "confidence 100.0 %, accuracy 0.0 %: 75 images"
    )


def test_unscaled_and_scaled_curves_are_in_one_figure():
    evaluation = measured(temperature=2.0)
    figure = reliability_diagram(evaluation.calibration, evaluation.scaled)
    assert [(curve.name, curve.css_class) for curve in figure.curves] == [
        ("unscaled", "raw"), ("scaled", "scaled"),
    ]  # fmt: skip
    unscaled, scaled = (curve.error for curve in figure.curves)
    assert unscaled == percent(evaluation.calibration.error)
    assert scaled == percent(evaluation.scaled.calibration.error)
    assert figure.description == (
        f"Reliability diagram. unscaled: calibration error {unscaled}; scaled: calibration error {scaled}"
    )


def test_a_figure_without_a_temperature_has_one_curve_and_ticks_from_0_to_100_percent():
    figure = reliability_diagram(measured().calibration)
    assert [(curve.name, curve.css_class) for curve in figure.curves] == [("unscaled", "only")]
    ticks = [(percent(share, 0), share) for share in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    assert [(tick.label, tick.position) for tick in figure.x_ticks] == [
        (label, pytest.approx(LEFT + share * (RIGHT - LEFT))) for label, share in ticks
    ]
    assert [(tick.label, tick.position) for tick in figure.y_ticks] == [
        (label, pytest.approx(BOTTOM - share * (BOTTOM - TOP))) for label, share in ticks
    ]


def test_a_dot_of_all_images_is_the_largest():
    everything = CalibrationBin(low=0.9, high=1.0, images=75, confidence=0.95, accuracy=0.9)
    few = replace(everything, images=1)
    (curve,) = reliability_diagram(Calibration((everything,))).curves
    assert curve.dots[0].radius == MAX_RADIUS
    (curve,) = reliability_diagram(Calibration((few, replace(everything, images=9999)))).curves
    assert curve.dots[0].radius == MIN_RADIUS
