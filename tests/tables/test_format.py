import pytest

from verydeep.tables.format import duration, percent, rounded, thousands, wilson_interval


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


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (999, "999"), (1_000, "1.00 k"), (279_114, "279 k"), (999_999, "1.00 M"),
                        (61_100_840, "61.1 M"), (138_357_544, "138 M"), (15_470_264_320, "15.5 G")]
)  # fmt: skip
def test_large_numbers_keep_three_digits(count, text):
    assert rounded(count) == text.replace(" ", "\N{NO-BREAK SPACE}")


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.94, "3.9 s"), (58.4, "58 s"), (59.7, "1 min 00 s"), (125.0, "2 min 05 s"),
                          (3599.8, "1 h 00 min"), (11_220.0, "3 h 07 min")]
)  # fmt: skip
def test_durations_have_at_most_two_units(seconds, text):
    assert duration(seconds) == text.replace(" ", "\N{NO-BREAK SPACE}")


def test_shares_and_counts():
    assert percent(0.94874) == "94.87\N{NO-BREAK SPACE}%"
    assert thousands(138_357_544) == "138,357,544"
