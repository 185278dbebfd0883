"""Reading ahead in threads: order, how far ahead, and errors."""

import threading

import pytest

from verydeep.decoding.stream import BATCHES_AHEAD, MOST_IN_A_TASK, read_ahead


@pytest.mark.parametrize("size", [1, 7, 8 * MOST_IN_A_TASK + 3])
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_order_in_their_batches(size, workers):
    batches = [range(start, start + size) for start in range(0, 4 * size, size)] + [range(0)]
    squares = list(read_ahead(batches, lambda item: item**2, workers))
    assert squares == [[item**2 for item in batch] for batch in batches]


@pytest.mark.parametrize("size", [2, 100])
def test_all_threads_read_the_items_of_a_batch(size):
    both = threading.Barrier(2)

    def read(item):
        if item in (0, size - 1):
            both.wait(30)  # the first and the last item meet: two threads read them

    assert len(list(read_ahead([range(size)], read, 2))) == 1


def test_only_some_batches_are_read_before_they_are_wanted():
    read = []
    results = read_ahead(([batch] for batch in range(100)), read.append, 1)
    next(results)
    results.close()
    assert len(read) <= BATCHES_AHEAD + 1


def test_an_error_is_raised_where_its_batch_is_wanted():
    results = read_ahead([[1, 1], [0, 1]], lambda item: 1 // item, 2)
    assert next(results) == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
