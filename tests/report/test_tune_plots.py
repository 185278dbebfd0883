"""The figures of `verydeep tune`: strategies with intervals, and the search over L2 strengths."""

from dataclasses import replace
from itertools import pairwise

import pytest

from verydeep.number_format import percent
from verydeep.report.charts.line_plots import HEIGHT, LEFT, RIGHT, WIDTH
from verydeep.report.tune_plots import BOTTOM, NAME, SIDE, interval_plot, interval_range, l2_charts

from .tunings import cross_validation, fine_tuning, linear_probe, on_test, on_validation, skipped, tune_result


def share(x, low, high):
    """The value at ``x`` on an axis from ``low`` to ``high``."""
    return low + (high - low) * (x - SIDE) / (WIDTH - 2 * SIDE)


def test_intervals_are_on_one_axis(tmp_path):
    figure = interval_plot(tune_result(tmp_path))
    assert [tick.label.replace("\N{NO-BREAK SPACE}", " ") for tick in figure.x_ticks] == [
        "75 %", "80 %", "85 %", "90 %", "95 %", "100 %",
    ]  # fmt: skip
    assert (figure.x_ticks[0].position, figure.x_ticks[-1].position) == (SIDE, WIDTH - SIDE)
    drawn = [each for row in figure.rows for each in row.intervals]
    for each, evaluation in zip(drawn, (on_validation(), on_test(), on_validation(285, 54)), strict=True):
        interval = evaluation.intervals["balanced_accuracy"]
        assert share(each.x, 0.75, 1) == pytest.approx(evaluation.balanced_accuracy)
        assert share(each.low, 0.75, 1) == pytest.approx(interval.low)
        assert share(each.high, 0.75, 1) == pytest.approx(interval.high)


def test_rows_are_the_strategies_that_were_run_in_order(tmp_path):
    figure = interval_plot(tune_result(tmp_path))
    assert [row.name for row in figure.rows] == ["linear probe", "fine-tuning"]  # not the skipped one
    assert [row.is_chosen for row in figure.rows] == [True, False]
    probe, tuned = figure.rows
    heights = [probe.y, *(each.y for each in probe.intervals), tuned.y, tuned.intervals[0].y]
    assert all(10 < below - above < 32 for above, below in pairwise(heights))  # no text touches a line
    assert heights[0] < NAME and 10 < figure.height - BOTTOM - heights[-1] < 20
    chosen = interval_plot(tune_result(tmp_path, chosen="fine-tune"))
    assert [row.is_chosen for row in chosen.rows] == [False, True]


def test_intervals_have_labels_a_legend_and_a_description(tmp_path):
    figure = interval_plot(tune_result(tmp_path))
    assert figure.legend == ("validation", "test")
    assert [each.measured_on for each in figure.rows[0].intervals] == ["validation", "test"]
    labels = [each.label for row in figure.rows for each in row.intervals]
    interval = on_test().intervals["balanced_accuracy"]
    assert interval_range(on_test()) == f"{percent(interval.low, 1)} to {percent(interval.high, 1)}"
    assert labels[1] == f"linear probe, test: {percent(0.9125)} ({interval_range(on_test())})"
    assert labels[2].startswith("fine-tuning, validation: 92.50")
    assert figure.description == f"Balanced accuracy with 95 % intervals. {'; '.join(labels)}"


def test_a_probe_that_was_not_compared_has_its_cross_validation(tmp_path):
    probe = cross_validation()
    alone = linear_probe(validation=probe.evaluation)
    figure = interval_plot(tune_result(tmp_path, strategies=(alone,), probe=probe))
    assert figure.legend == ("cross-validation", "test")
    assert "linear probe, cross-validation: 94.50" in figure.rows[0].intervals[0].label
    tuned = fine_tuning(validation=probe.evaluation)  # not the probe: its validation images are held out
    figure = interval_plot(tune_result(tmp_path, strategies=(tuned,), probe=probe))
    assert figure.legend == ("validation",)


def test_without_a_measured_strategy_there_is_no_figure(tmp_path):
    assert interval_plot(tune_result(tmp_path, strategies=(skipped(),), probe=None)) is None
    bare = linear_probe(validation=None, test=None)
    assert interval_plot(tune_result(tmp_path, strategies=(bare,))) is None


def test_close_values_have_ticks_with_decimals(tmp_path):
    good = replace(on_test(((800, 0), (0, 200)), groups=None))
    figure = interval_plot(tune_result(tmp_path, strategies=(linear_probe(validation=None, test=good),)))
    assert figure.x_ticks[0].label == "99.4\N{NO-BREAK SPACE}%"


def test_l2_strengths_are_on_a_logarithmic_axis_with_the_chosen_one_marked():
    accuracy, loss = l2_charts(cross_validation())
    for chart in (accuracy, loss):
        assert [tick.label for tick in chart.x_ticks] == ["10⁻³", "10⁻²", "10⁻¹", "10⁰"]
        xs = [point.x for point in chart.curves[0].points]
        assert xs == pytest.approx([tick.position for tick in chart.x_ticks])  # from weak to strong
        assert (xs[0], xs[-1]) == (LEFT, WIDTH - RIGHT)
        assert chart.mark.label == "0.01 was chosen"
        assert chart.mark.position == xs[1]
        assert chart.x_name == ""  # the caption has it
    assert [chart.title for chart in (accuracy, loss)] == ["Balanced accuracy", "Log loss"]


def test_l2_charts_have_tooltips_and_a_description():
    accuracy, loss = l2_charts(cross_validation())
    labels = [point.label.replace("\N{NO-BREAK SPACE}", " ") for point in accuracy.curves[0].points]
    assert labels == [
        "L2 strength 0.001: 92.50 %", "L2 strength 0.01: 93.10 %", "L2 strength 0.1: 92.00 %",
        "L2 strength 1: 88.00 %",
    ]  # fmt: skip
    assert [point.label for point in loss.curves[0].points][:2] == [
        "L2 strength 0.001: 0.270", "L2 strength 0.01: 0.250",
    ]  # fmt: skip
    assert accuracy.description == (
        "Balanced accuracy by L2 strength, from weak to strong; bars are standard errors: cross-validation "
        "at the chosen strength: 93.10\N{NO-BREAK SPACE}%; 0.01 was chosen"
    )
    assert loss.description.startswith("Log loss in nats per image, by L2 strength, from weak to strong: ")
    assert loss.description.endswith("at the chosen strength: 0.250; 0.01 was chosen")


def test_points_are_higher_for_higher_values_with_an_error_bar_around_them():
    accuracy, loss = l2_charts(cross_validation())
    weak, best, medium, strong = accuracy.curves[0].points
    assert best.y < weak.y < medium.y < strong.y  # 93.1, 92.5, 92, 88 %; y runs down
    assert all(point.high < point.y < point.low for point in accuracy.curves[0].points)
    assert weak.low - weak.y == pytest.approx(weak.y - weak.high)
    weak, best, medium, strong = loss.curves[0].points
    assert strong.y < medium.y < weak.y < best.y
    assert all(point.low is None and point.high is None for point in loss.curves[0].points)
    points = [point for chart in (accuracy, loss) for point in chart.curves[0].points]
    assert all(0 <= point.y <= HEIGHT for point in points)


def test_the_axis_of_values_is_labeled_in_round_steps():
    accuracy, loss = l2_charts(cross_validation())
    labels = [tick.label.replace("\N{NO-BREAK SPACE}", " ") for tick in accuracy.y_ticks]
    assert labels == ["86 %", "88 %", "90 %", "92 %", "94 %", "96 %"]
    assert [tick.label for tick in loss.y_ticks] == ["0.25", "0.3", "0.35", "0.4"]
    step = accuracy.y_ticks[0].position - accuracy.y_ticks[1].position
    strong = accuracy.curves[0].points[-1]
    assert strong.y == pytest.approx(accuracy.y_ticks[1].position)  # 88 %
    assert strong.low - strong.y == pytest.approx(step * 0.6)  # 1.2 % of steps of 2 %


@pytest.mark.parametrize(("distance", "labels"), [(0.001, ("90.0 %", "90.1 %")), (0.04, ("90 %", "91 %"))])
def test_ticks_have_decimals_if_they_are_less_than_1_percent_apart(distance, labels):
    first, second = cross_validation().curve[:2]
    curve = (
        replace(first, balanced_accuracy=0.9, standard_error=0.0),
        replace(second, balanced_accuracy=0.9 + distance, standard_error=0.0),
    )
    ticks = l2_charts(cross_validation(curve=curve, l2=1.0))[0].y_ticks
    assert [tick.label.replace("\N{NO-BREAK SPACE}", " ") for tick in ticks][:2] == list(labels)


def test_an_error_bar_ends_at_100_and_0_percent():
    best, worst = cross_validation().curve[:2]
    curve = (replace(best, balanced_accuracy=1.0), replace(worst, balanced_accuracy=0.0))
    accuracy, _ = l2_charts(cross_validation(curve=curve, l2=1.0))
    low, high = accuracy.curves[0].points  # strength 0.1, then 1
    assert high.high == high.y and low.low == low.y
    assert accuracy.y_ticks[-1].label == "100\N{NO-BREAK SPACE}%"


def test_a_loss_that_is_not_finite_is_not_drawn():
    curve = tuple(replace(point, loss=float("inf")) for point in cross_validation().curve)
    (accuracy,) = l2_charts(cross_validation(curve=curve))
    assert accuracy.title == "Balanced accuracy"
    _, loss = l2_charts(cross_validation(curve=(curve[0], *cross_validation().curve[1:])))
    assert len(loss.curves[0].points) == 3


def test_without_a_search_there_are_no_charts():
    assert l2_charts(None) == ()
    assert l2_charts(cross_validation(curve=cross_validation().curve[:1])) == ()
