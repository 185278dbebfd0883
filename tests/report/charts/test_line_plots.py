"""Line plots over the epochs: positions, labels, and the epoch that was kept."""

from math import inf, nan

import pytest

from tests.report.evaluations import evaluation
from tests.report.trainings import epoch, unvalidated
from verydeep.report.charts.line_plots import (
    BOTTOM,
    HEIGHT,
    LEFT,
    LOW_HEIGHT,
    RIGHT,
    TOP,
    WIDTH,
    accuracy_chart,
    balanced_chart,
    loss_chart,
    rate_chart,
    round_step,
)


def value(chart, y):
    """The value at ``y``, by the first and last tick (which are labeled with values)."""
    first, last = (tick.position for tick in (chart.y_ticks[0], chart.y_ticks[-1]))
    low, high = (number(tick.label) for tick in (chart.y_ticks[0], chart.y_ticks[-1]))
    return low + (high - low) * (y - first) / (last - first)


def number(label):
    text, _, unit = label.partition("\N{NO-BREAK SPACE}")
    return float(text) / (100 if unit else 1)


@pytest.mark.parametrize(
    ("minimum", "step"), [(0.023, 0.05), (0.2, 0.2), (0.21, 0.5), (3.0, 5), (7.0, 10), (1.0, 1)]
)
def test_steps_are_round(minimum, step):
    assert round_step(minimum) == pytest.approx(step)


def test_epochs_run_from_left_to_right_in_equal_steps():
    chart = accuracy_chart([epoch(1), epoch(2), epoch(4)])
    width = WIDTH - LEFT - RIGHT
    for curve in chart.curves:
        assert [point.x for point in curve.points] == [LEFT + width / 4, LEFT + width / 2, WIDTH - RIGHT]
    assert [(tick.label, tick.position) for tick in chart.x_ticks] == [
        (str(number), LEFT + width * number / 4) for number in range(5)
    ]
    assert chart.x_name == "epoch"


def test_each_curve_has_its_own_values():
    epochs = [epoch(1), epoch(2)]
    accuracy, loss = accuracy_chart(epochs, evaluation()), loss_chart(epochs, evaluation())
    for chart, values in (
        (accuracy, {"training": [0.5, 0.75], "validation": [0.6, 0.8], "test": [280 / 300]}),
        (loss, {"training": [1.5, 0.75], "validation": [1.0, 0.5], "test": [evaluation().loss]}),
        (balanced_chart(epochs), {"validation": [0.7, 0.85]}),
        (rate_chart(epochs), {"learning rate": [0.1, 0.05]}),
    ):
        drawn = {
            curve.name: [pytest.approx(value(chart, point.y)) for point in curve.points]
            for curve in chart.curves
        }
        assert values == drawn
    assert [point.label for point in loss.curves[0].points] == [
        "epoch 1, training: 1.500", "epoch 2, training: 0.750",
    ]  # fmt: skip
    assert [curve.last for curve in loss.curves] == ["0.750", "0.500", "0.298"]


def test_titles_name_the_quantity():
    epochs = [epoch(1)]
    assert [chart(epochs).title for chart in (accuracy_chart, loss_chart, balanced_chart, rate_chart)] == [
        "Accuracy", "Loss", "Validation balanced accuracy", "Learning rate",
    ]  # fmt: skip
    assert rate_chart(epochs).height == LOW_HEIGHT and loss_chart(epochs).height == HEIGHT


def test_accuracy_is_up_to_100_percent_and_loss_from_0():
    epochs = [epoch(1), epoch(2)]
    for chart in (accuracy_chart(epochs), balanced_chart(epochs)):
        assert chart.y_ticks[-1].label == "100\N{NO-BREAK SPACE}%"
        assert chart.y_ticks[-1].position == pytest.approx(TOP)
    assert number(accuracy_chart(epochs).y_ticks[0].label) == 0.4  # below the lowest, 50 %
    for chart in (loss_chart(epochs), rate_chart(epochs)):
        assert chart.y_ticks[0].label == "0"
        assert chart.y_ticks[0].position == chart.height - BOTTOM
    good = [epoch(1, train_top1=0.99, val_top1=0.98)]
    assert accuracy_chart(good).y_ticks[0].label == "90\N{NO-BREAK SPACE}%"


def test_the_test_result_is_one_point_at_the_last_epoch():
    *curves, test = accuracy_chart([epoch(1), epoch(2), epoch(3)], evaluation()).curves
    assert [curve.name for curve in (*curves, test)] == ["training", "validation", "test"]
    assert [point.x for point in test.points] == [WIDTH - RIGHT]
    assert test.points[0].label == "epoch 3, test: 93.33\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize("chart_of", [accuracy_chart, loss_chart])
@pytest.mark.parametrize("kept", [0, 1, 3])
def test_the_test_result_is_at_the_kept_epoch(chart_of, kept):
    chart = chart_of([epoch(1), epoch(2), epoch(3)], evaluation(), kept)
    (point,) = chart.curves[-1].points
    assert point.x == chart.mark.position == chart.x_ticks[kept].position
    assert point.label.startswith(f"epoch {kept}, test: ")
    assert chart.mark.label == f"epoch {kept} was kept"


def test_an_epoch_is_marked_only_if_it_was_chosen():
    epochs = [epoch(1), epoch(2)]
    for chart_of in (accuracy_chart, loss_chart, balanced_chart):
        assert chart_of(epochs).mark is None
        assert chart_of(epochs, kept=1).mark.position == chart_of(epochs).x_ticks[1].position
    assert rate_chart(epochs).mark is None


def test_without_validation_images_there_is_no_validation_curve():
    for chart_of in (loss_chart, accuracy_chart):
        chart = chart_of([unvalidated(1)], evaluation())
        assert [curve.name for curve in chart.curves] == ["training", "test"]
    assert balanced_chart([unvalidated(1)]).curves == ()


def test_every_point_is_inside_the_figure():
    epochs = [epoch(number) for number in range(1, 301)]
    for chart in (
        loss_chart(epochs, evaluation()), accuracy_chart(epochs, evaluation()), balanced_chart(epochs),
        rate_chart(epochs),
    ):  # fmt: skip
        for curve in chart.curves:
            assert all(LEFT <= point.x <= WIDTH - RIGHT for point in curve.points)
            assert all(TOP <= point.y <= chart.height - BOTTOM for point in curve.points)
        assert len(chart.x_ticks) <= 8


@pytest.mark.parametrize("loss", [inf, nan])
def test_a_loss_that_is_not_finite_is_not_drawn(loss):
    chart = loss_chart([epoch(1, train_loss=loss), epoch(2)], evaluation())
    assert [point.label for point in chart.curves[0].points] == ["epoch 2, training: 0.750"]


def test_a_learning_rate_of_zero_is_drawn():
    assert rate_chart([epoch(1, lr=0.0)]).curves[0].last == "0"


def test_the_description_has_the_final_values_and_the_kept_epoch():
    epochs = [epoch(1), epoch(2)]
    assert loss_chart(epochs).description == "Loss by epoch: training ends at 0.750; validation ends at 0.500"
    assert loss_chart(epochs, kept=2).description == f"{loss_chart(epochs).description}; epoch 2 was kept"


def test_a_polyline_connects_the_points():
    curve = loss_chart([epoch(1), epoch(2)]).curves[0]
    (first, second) = curve.points
    assert curve.path == f"{first.x:.1f},{first.y:.1f} {second.x:.1f},{second.y:.1f}"
