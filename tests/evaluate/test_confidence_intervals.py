import pytest

from verydeep.evaluate.confidence_intervals import wilson_interval


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [
        (0, 10, 0.0000, 0.2775),  # Wilson's score interval, R 4: prop.test(0, 10, correct = FALSE)
        (10, 10, 0.7225, 1.0000),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, Table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_matches_published_values(right, count, low, high):
    assert wilson_interval(right, count) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_narrows_with_more_images():
    few, many = wilson_interval(94, 100), wilson_interval(9400, 10_000)
    assert few[0] < many[0] < 0.94 < many[1] < few[1]
