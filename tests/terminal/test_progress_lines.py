"""Progress without a terminal: when a line comes, and what it says."""

import io

import pytest
from rich.console import Console

from verydeep.number_format import SPACE
from verydeep.terminal.progress import ImageProgress
from verydeep.terminal.progress_lines import ProgressLines


def lines_of(calls, total, unit="images"):
    """The lines for calls at (seconds, done)."""
    text, now = io.StringIO(), [0.0]
    lines = ProgressLines(Console(file=text, width=40), "Predicting", unit, clock=lambda: now[0])
    for now[0], done in calls:
        lines(done, total)
    return text.getvalue().replace(SPACE, " ").splitlines()


def test_a_slow_job_writes_a_line_every_30_seconds():
    calls = [(second, second) for second in range(0, 101)]
    assert lines_of(calls, 10_000) == [
        "Predicting: 30 of 10,000 images (0 %), about 2 h 46 min left",
        "Predicting: 60 of 10,000 images (1 %), about 2 h 46 min left",
        "Predicting: 90 of 10,000 images (1 %), about 2 h 45 min left",
    ]


def test_a_faster_job_writes_a_line_every_tenth():
    calls = [(second, second) for second in range(0, 101)]
    lines = lines_of(calls, 100)
    assert len(lines) == 10 and lines[0].startswith(
        "Predicting: 10 of 100 images (10 %), about 1 min 30 s left"
    )
    assert lines[-1] == "Predicting: 100 of 100 images (100 %)"


def test_the_next_file_begins_anew():
    calls = [(0, 0), (6, 50), (12, 100), (20, 0), (30, 20)]
    assert lines_of(calls, 100, unit="") == [
        "Predicting: 50 of 100 (50 %), about 6.0 s left",
        "Predicting: 100 of 100 (100 %)",
        "Predicting: 20 of 100 (20 %), about 40 s left",
    ]


def test_a_short_job_writes_none():
    assert lines_of([(0, 0), (1, 50), (2, 100)], 100) == []


def test_images_from_before_do_not_count_in_the_speed():
    (line,) = lines_of([(0, 500), (30, 600)], 1000, unit="")
    assert line == "Predicting: 600 of 1,000 (60 %), about 2 min 00 s left"


def test_without_a_total_the_time_is_stated():
    assert lines_of([(0, 0), (30, 7)], None) == ["Predicting: 7 images, 30 s so far"]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_bar_on_a_terminal_is_a_line_elsewhere(monkeypatch, is_terminal):
    text, now = io.StringIO(), [0.0]
    progress = ImageProgress(Console(file=text, force_terminal=is_terminal, width=100), "Predicting")
    if progress.lines:
        progress.lines.clock = lambda: now[0]
    assert bool(progress.lines) is not is_terminal
    with progress:
        for now[0], done in ((0, 0), (40, 5)):
            progress(done, 10)
    written = "Predicting: 5 of 10 images (50 %), about 40 s left\n"
    assert (text.getvalue().replace(SPACE, " ") == written) is not is_terminal


def test_a_bar_ends_with_its_job_so_that_another_can_begin():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with ImageProgress(console, "Downloading") as first, ImageProgress(console, "Training") as second:
        for done in (0, 1, 2, 0, 2):  # two files
            first(done, 2)
            assert first.bar.live.is_started is (done < 2)
        second(0, 2)
        assert second.bar.live.is_started
