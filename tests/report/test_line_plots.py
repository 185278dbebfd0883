from math import inf

import pytest

from verydeep.report.line_plots import (
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    accuracy_chart,
    loss_chart,
    rate_chart,
    round_step,
)

from .runs import epoch, evaluation


@pytest.mark.parametrize(
    ("minimum", "step"), [(0.023, 0.05), (0.2, 0.2), (0.21, 0.5), (3.0, 5), (7.0, 10), (1.0, 1)]
)
def test_steps_are_round(minimum, step):
    assert round_step(minimum) == pytest.approx(step)


def test_epochs_run_from_left_to_right_and_the_test_set_is_one_point_at_the_end():
    training, validation, test = accuracy_chart([epoch(1), epoch(2), epoch(3)], evaluation()).curves
    assert [curve.name for curve in (training, validation, test)] == ["training", "validation", "test"]
    assert [point.x for point in training.points] == sorted(point.x for point in training.points)
    assert len(test.points) == 1
    assert test.points[0].x == training.points[-1].x == WIDTH - RIGHT


def test_a_higher_accuracy_is_higher_in_the_figure_and_the_axis_ends_at_100_percent():
    chart = accuracy_chart([epoch(1), epoch(2)], evaluation())
    first, last = chart.curves[0].points
    assert first.y > last.y
    assert chart.y_ticks[-1].label == "100\N{NO-BREAK SPACE}%"


def test_without_validation_there_is_no_validation_curve():
    chart = loss_chart([epoch(1, val_loss=None, val_top1=None)], evaluation())
    assert [curve.name for curve in chart.curves] == ["training", "test"]


def test_every_point_is_inside_the_figure():
    epochs = [epoch(number) for number in range(1, 301)]
    for chart in (loss_chart(epochs, evaluation()), accuracy_chart(epochs, evaluation()), rate_chart(epochs)):
        for curve in chart.curves:
            assert all(LEFT <= point.x <= WIDTH - RIGHT and 0 <= point.y <= HEIGHT for point in curve.points)
        assert len(chart.x_ticks) <= 8


def test_an_infinite_loss_is_not_drawn():
    chart = loss_chart([epoch(1, train_loss=inf), epoch(2)], evaluation())
    assert len(chart.curves[0].points) == 1


def test_a_learning_rate_of_zero_is_drawn():
    assert rate_chart([epoch(1, lr=0.0)]).curves[0].last == "0"


def test_the_description_of_a_figure_has_the_final_values():
    assert "validation ends at 0.500" in loss_chart([epoch(1), epoch(2)], evaluation()).description
