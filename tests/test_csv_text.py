"""Lines of CSV: what is written is read back, on every version of Python, and no spreadsheet computes it."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verydeep.csv_text import csv_cell, csv_line, from_csv_cell


def read_back(line):
    (row,) = csv.reader(io.StringIO(line, newline=""), strict=True)
    return [from_csv_cell(cell) for cell in row]


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "'=1"])
def test_a_formula_is_text(text):
    assert csv_cell(text) == f"'{text}"
    assert read_back(csv_line([text, "b"])) == [text, "b"]


@pytest.mark.parametrize(
    "text", ["-1", "+3.5", "-1e-5", "-.5", "12 %", "'quoted'", "a=b", "", "photos/-1.jpg"]
)
def test_numbers_and_common_text_are_unchanged(text):
    assert csv_cell(text) == text
    assert read_back(csv_line([text, "b"])) == [text, "b"]


def test_line_breaks_stay_in_their_cell():
    line = csv_line(["a\rb", "c\nd", 'e"f', None, 0.5])
    assert line == '"a\rb","c\nd","e""f",,0.5\n'
    assert read_back(line) == ["a\rb", "c\nd", 'e"f', "", "0.5"]


@given(st.lists(st.text("='+-@\t\r\n\",;a1.%\udcb0\u202e", max_size=6), min_size=2, max_size=4))
def test_every_text_is_read_back(cells):
    assert read_back(csv_line(cells)) == cells
