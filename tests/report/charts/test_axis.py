"""Axes enclose their values with round ones."""

import pytest

from verydeep.report.charts.axis import Axis, LogAxis


def test_equal_ratios_have_equal_distances():
    axis = LogAxis.around((30.0, 700.0), 1.0, 0.0, 100.0)
    assert axis.values == pytest.approx((20, 50, 100, 200, 500, 1000))
    assert axis.position(40.0) - axis.position(20.0) == pytest.approx(
        axis.position(100.0) - axis.position(50.0)
    )
    assert (axis.position(20.0), axis.position(1000.0)) == pytest.approx((0, 100))


def test_a_large_range_has_powers_of_ten_alone():
    assert LogAxis.around((0.02, 900.0), 1.0, 0.0, 1.0).values == pytest.approx((0.01, 0.1, 1, 10, 100, 1000))


@pytest.mark.parametrize("axis", [Axis, LogAxis])
@pytest.mark.parametrize("values", [(5.0,), (1.0, 1.0), (9.99, 10.01), (1e-6, 2e-6), (3e8, 4e9)])
def test_all_values_are_inside(axis, values):
    made = axis.around(values, 1e-9, 10.0, 90.0)
    assert len(made.values) >= 2
    assert all(10 - 1e-9 <= made.position(value) <= 90 + 1e-9 for value in values)
