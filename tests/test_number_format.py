import pytest

from verydeep.number_format import SPACE, bytes_text, duration, percent, rounded, thousands


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


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.00 kB"), (553_437_184, "553 MB")]
)
def test_bytes_have_a_decimal_unit(count, text):
    assert bytes_text(count) == text.replace(" ", SPACE)
