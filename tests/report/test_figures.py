"""The SVG of the figures on the pages: each point, label and mark is at its computed position."""

import re
from pathlib import Path

import pytest

from verydeep.report.charts import line_plots as plots
from verydeep.report.charts.reliability_diagram import reliability_diagram
from verydeep.report.training_page import render_training
from verydeep.report.tune_page import render_tune
from verydeep.report.tune_plots import interval_plot, l2_charts

from .html import drawing, group, texts
from .trainings import epoch, train_result, unvalidated
from .tunings import cross_validation, tune_result

TENTH = {"abs": 0.051}
"""Positions are rounded to a tenth of a pixel."""


def training_page(**changes):
    return render_training(
        train_result(**changes), run=Path("run"), recipe_name="fast", command="train", wall_seconds=1.0
    )


def diamond(x, y):
    """The path of a diamond around a point."""
    return f"M{x:.1f} {y - 6:.1f}l6 6-6 6-6-6z"


def test_a_chart_has_its_curves_in_the_classes_of_their_names():
    result = train_result(best_epoch=1)
    chart = plots.accuracy_chart(result.epochs, result.test, kept=1)
    shown = drawing(training_page(best_epoch=1), "Accuracy by epoch")
    assert shown.get("viewBox") == f"0 0 {plots.WIDTH} {chart.height}"
    training, validation, test = chart.curves
    for curve in (training, validation):
        drawn = group(shown, curve.name)
        assert drawn.find("polyline").get("points") == curve.path
        assert [each.text for each in drawn.iter("title")] == [point.label for point in curve.points]
        circles = [(float(each.get("cx")), float(each.get("cy"))) for each in drawn.iter("circle")]
        for (x, y), point in zip(circles, curve.points, strict=True):
            assert (x, y) == (pytest.approx(point.x, **TENTH), pytest.approx(point.y, **TENTH))
    (point,) = test.points
    (path,) = group(shown, "test").iter("path")
    assert path.get("d") == diamond(point.x, point.y) and path.find("title").text == point.label
    assert not list(group(shown, "test").iter("circle"))


def test_a_chart_has_labeled_axes_and_its_mark():
    result = train_result(best_epoch=2)
    chart = plots.accuracy_chart(result.epochs, result.test, kept=2)
    shown = drawing(training_page(best_epoch=2), "Accuracy by epoch")
    found = texts(shown)
    bottom = chart.height - 6
    assert ("epoch", "anchor-end x-name", plots.LEFT - 7, bottom) in found
    for tick in chart.x_ticks:
        assert (tick.label, "anchor-middle", pytest.approx(tick.position, **TENTH), bottom) in found
    for tick in chart.y_ticks:
        assert (
            tick.label, "anchor-end", plots.LEFT - 7, pytest.approx(tick.position + 4, **TENTH),
        ) in found  # fmt: skip
    lines = [each.get("d") for each in shown.iter("path") if each.get("class") == "grid"]
    assert lines == [
        f"M{plots.LEFT} {tick.position:.1f}H{plots.WIDTH - plots.RIGHT}" for tick in chart.y_ticks
    ]
    (mark,) = (each.get("d") for each in shown.iter("path") if each.get("class") == "mark")
    assert mark == f"M{chart.mark.position:.1f} {plots.TOP}V{chart.height - plots.BOTTOM}"
    assert ("epoch 2 was kept", "mark anchor-end", chart.mark.position, plots.TOP - 3) in found


def test_the_label_of_an_early_mark_is_on_its_right():
    shown = drawing(training_page(best_epoch=0), "Accuracy by epoch")
    assert ("epoch 0 was kept", "mark", plots.LEFT, plots.TOP - 3) in texts(shown)
    assert not any("mark" in (each.get("class") or "") for each in drawing(training_page(), "Loss").iter())


@pytest.mark.parametrize(("epochs", "radius"), [(1, "4"), (2, "2.6"), (40, "2.6"), (41, "1")])
def test_many_points_are_smaller(epochs, radius):
    page = training_page(epochs=tuple(map(epoch, range(1, epochs + 1))))
    circles = list(group(drawing(page, "Loss"), "training").iter("circle"))
    assert len(circles) == epochs and {each.get("r") for each in circles} == {radius}


def test_a_legend_names_the_curves_with_their_values_if_there_are_several():
    page = re.sub(r"\s*\n\s*", "", training_page())
    assert [f"<h3>{title}</h3>" in page for title in ("Accuracy", "Loss", "Learning rate")] == [True] * 3
    assert "</svg>training <b>75.00\N{NO-BREAK SPACE}%</b></li>" in page
    for name, symbol in (("validation", 'class="stroke" d="M0 5h22"'), ("test", 'class="diamond"')):
        assert f'<li><svg class="{name}" viewBox="0 0 22 10" aria-hidden="true"><path {symbol}' in page
    assert '<svg class="learning-rate"' not in page  # one curve
    assert '<g class="learning-rate">' in page
    alone = training_page(epochs=(unvalidated(1),), validation=None)
    assert '<svg class="validation"' not in alone


def test_an_l2_chart_has_error_bars_and_a_caption(tmp_path):
    page = render_tune(tune_result(tmp_path), command="tune")
    accuracy, loss = l2_charts(cross_validation())
    shown = drawing(page, "Balanced accuracy by L2")
    bars = [each.get("d") for each in shown.iter("path") if each.get("class") == "whisker"]
    assert bars == [f"M{point.x:.1f} {point.low:.1f}V{point.high:.1f}" for point in accuracy.curves[0].points]
    assert not [each for each in drawing(page, "Log loss").iter("path") if each.get("class") == "whisker"]
    assert f'<p class="dim">{loss.caption}</p>' in page
    assert "epoch" not in [text for text, *_ in texts(shown)]
    assert '<p class="dim"></p>' not in page


def test_strategies_have_their_intervals_below_their_names(tmp_path):
    figure = interval_plot(tune_result(tmp_path))
    page = render_tune(tune_result(tmp_path), command="tune")
    shown = drawing(page, "Balanced accuracy with 95 % intervals")
    assert shown.get("viewBox") == f"0 0 {plots.WIDTH} {figure.height}"
    found = texts(shown)
    assert ("linear probe: chosen", "name", 0, figure.rows[0].y) in found
    assert ("fine-tuning", "name", 0, figure.rows[1].y) in found
    for tick in figure.x_ticks:
        assert (
            tick.label, "anchor-middle", pytest.approx(tick.position, **TENTH), figure.height - 6,
        ) in found  # fmt: skip
    lines = [each.get("d") for each in shown.iter("path") if each.get("class") == "grid"]
    assert lines == [f"M{tick.position:.1f} 0V{figure.height - 24}" for tick in figure.x_ticks]
    chosen = group(shown, "is-chosen")
    validation, test = figure.rows[0].intervals
    for each in (validation, test):
        (bar,) = (
            path.get("d") for path in group(chosen, each.measured_on).iter("path")
            if path.get("class") == "interval"
        )  # fmt: skip
        assert bar == f"M{each.low:.1f} {each.y}H{each.high:.1f}"
    (circle,) = group(chosen, "validation").iter("circle")
    assert (float(circle.get("cx")), float(circle.get("cy"))) == (
        pytest.approx(validation.x, **TENTH), validation.y,
    )  # fmt: skip
    assert circle.find("title").text == validation.label
    (symbol,) = (each for each in group(chosen, "test").iter("path") if each.get("class") == "diamond")
    assert symbol.get("d") == f"M{test.x:.1f} {test.y - 6.5}l6.5 6.5-6.5 6.5-6.5-6.5z"
    assert symbol.find("title").text == test.label
    text = re.sub(r"\s*\n\s*", "", page)
    assert '<svg class="validation" viewBox="0 0 22 10" aria-hidden="true"><path class="stroke"' in text
    assert '<svg class="test" viewBox="0 0 22 10" aria-hidden="true"><path class="diamond"' in text


def test_a_reliability_diagram_has_its_dots_curves_and_axes(tmp_path):
    test = tune_result(tmp_path).test
    figure = reliability_diagram(test.calibration, test.scaled)
    page = render_tune(tune_result(tmp_path), command="tune")
    shown = drawing(page, "Reliability diagram")
    assert shown.get("viewBox") == f"0 0 {figure.width} {figure.height}"
    for curve in figure.curves:
        drawn = group(shown, curve.css_class)
        assert drawn.find("polyline").get("points") == curve.path
        (dot,), (circle,) = curve.dots, drawn.iter("circle")
        assert [float(circle.get(name)) for name in ("cx", "cy", "r")] == [
            pytest.approx(value, **TENTH) for value in (dot.x, dot.y, dot.radius)
        ]
        assert circle.find("title").text == dot.label
        assert f"</svg>{curve.name} <b>{curve.error}</b></li>" in page
        assert f'<li><svg class="{curve.css_class}"' in page
    assert "<h3>Reliability diagram</h3>" in page
    (ideal,) = (each.get("d") for each in shown.iter("path") if each.get("class") == "ideal")
    assert ideal == f"M{figure.left} {figure.bottom}L{figure.right} {figure.top}"
    found = texts(shown)
    for tick in figure.x_ticks:
        assert (
            tick.label, "anchor-middle", pytest.approx(tick.position, **TENTH), figure.bottom + 18,
        ) in found  # fmt: skip
    for tick in figure.y_ticks:
        assert (
            tick.label, "anchor-end", figure.left - 7, pytest.approx(tick.position + 4, **TENTH),
        ) in found  # fmt: skip
    lines = [each.get("d") for each in shown.iter("path") if each.get("class") == "grid"]
    assert lines == [f"M{figure.left} {tick.position:.1f}H{figure.right}" for tick in figure.y_ticks]
    middle = (figure.left + figure.right) / 2
    assert ("confidence", "anchor-middle", middle, figure.height - 4) in found
    assert ("accuracy", None, figure.left + 6, figure.top + 14) in found
