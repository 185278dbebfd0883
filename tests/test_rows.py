"""Long columns that are computed when they are asked for."""

import numpy as np
import pytest

from verydeep.rows import computed, joined


@pytest.fixture
def squares():
    return computed(lambda index: index**2, 6)


def test_rows_are_a_sequence(squares):
    assert list(squares) == [0, 1, 4, 9, 16, 25] and len(squares) == 6
    assert squares[-1] == squares[np.int64(5)] == 25 and 16 in squares and squares.index(9) == 3
    assert list(squares[1::2]) == [1, 9, 25]
    assert list(squares.select(np.array([5, 0, 5]))) == [25, 0, 25]
    with pytest.raises(IndexError):
        squares[6]


def test_columns_are_joined_in_order(squares):
    column = joined([squares, (), ("a", "b"), squares[:1]])
    assert list(column) == [0, 1, 4, 9, 16, 25, "a", "b", 0]
    assert list(column[5:8]) == [25, "a", "b"]
    assert len(joined([])) == 0
