"""Reading ahead in threads: order, how far ahead, and errors; small files without threads."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from verydeep.decoding import stream
from verydeep.decoding.stream import (
    BATCHES_AHEAD,
    BATCHES_IN_THREADS,
    MOST_IN_A_TASK,
    SMALL_S,
    SPARE_S,
    decode_ahead,
    read_ahead,
)
from verydeep.errors import UnreadableError
from verydeep.image_sources.image_source import UnreadableImage
from verydeep.machine import usable_cores


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


def test_ranks_on_a_host_share_its_cores(as_rank):
    threads = set()

    def read(item):
        threads.add(threading.get_ident())
        time.sleep(0.01)

    as_rank(0, usable_cores())
    assert len(list(read_ahead([range(20)], read, None))) == 1
    assert len(threads) == 1


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


@pytest.fixture
def clock(monkeypatch):
    """A clock that only a test moves, so that no other process makes a file slow."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(stream, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


def files(count):
    return [Path(f"{number:03}.png") for number in range(count)]


@pytest.mark.usefixtures("clock")
def test_small_files_are_read_without_threads_and_only_when_they_are_wanted():
    threads = []
    results = decode_ahead(files(1000), lambda file: threads.append(threading.get_ident()), 10, 2)
    next(results)
    assert threads == 10 * [threading.get_ident()]
    assert [start for start, _ in results] == list(range(10, 1000, 10)) and set(threads) == {threads[0]}


@pytest.mark.parametrize("slow", [0, 7, 29, 399])
def test_from_a_slow_file_on_threads_read_for_some_batches(slow, clock):
    threads = {}

    def read(file):
        threads[file] = threading.get_ident()
        if file == Path(f"{slow:03}.png"):
            clock.now += SPARE_S + 2 * SMALL_S
        return file

    results = [file for _, batch in decode_ahead(files(400), read, 10, 2) for file in batch]
    assert results == files(400)
    in_threads = [file for file in results if threads[file] != threading.get_ident()]
    end = (slow // 10 + 1 + BATCHES_IN_THREADS) * 10
    assert in_threads == files(400)[slow + 1 : end]


@pytest.mark.parametrize("size", [1, 10])
def test_large_files_are_read_in_threads_whatever_the_batch(size, clock):
    threads = []

    def read(file):
        threads.append(threading.get_ident())
        clock.now += 0.6 * SPARE_S

    assert len(list(decode_ahead(files(30), read, size, 2))) == 30 // size
    own = threading.get_ident()
    assert threads[:2] == [own, own] and own not in threads[2:]


@pytest.mark.parametrize("taken", [1, 2, 5])
def test_a_reader_may_stop_early_whoever_reads(taken, clock):
    def read(file):
        clock.now += SPARE_S
        return file

    results = decode_ahead(files(100), read, 10, 2)
    assert [next(results) for _ in range(taken)][-1][0] == 10 * (taken - 1)
    results.close()


def test_an_error_of_a_small_file_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(decode_ahead(files(1), lambda file: 1 / 0, 10, 2))


def test_a_file_that_cannot_be_read_is_one_of_the_results():
    def read(file):
        raise UnreadableError(f"{file} is broken", kind="corrupt")

    ((start, results),) = decode_ahead(files(1), read, 10, 2)
    assert start == 0 and isinstance(results[0], UnreadableImage)
