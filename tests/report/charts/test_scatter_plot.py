"""The scatter plot of image sizes."""

import pytest

from verydeep.report.charts.scatter_plot import MAX_DOTS, size_scatter


def test_dots_are_on_log_scales_and_their_number_is_limited():
    figure = size_scatter([(64, 64), (128, 64), (256, 64)], [0, 0, 1], ("a", "b"))
    (_, first), (_, second) = figure.series
    xs = [point.x for point in (*first, *second)]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1])
    assert [tick.label for tick in figure.x_ticks] == ["64", "128", "256"]
    many = size_scatter([(10, 10)] * 10_000, [0] * 10_000, ("a",))
    assert many.shown <= MAX_DOTS
