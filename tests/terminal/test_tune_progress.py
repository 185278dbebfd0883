"""The progress of a download of weights in ``tune``: a bar on a terminal, lines elsewhere."""

import io

import pytest
from rich.console import Console

from verydeep.number_format import SPACE
from verydeep.terminal.progress_lines import ProgressLines
from verydeep.terminal.tune_progress import MEGABYTE, TuneProgress


def test_a_download_without_a_terminal_writes_lines_in_megabytes():
    text, now = io.StringIO(), [0.0]
    progress = TuneProgress(Console(file=text, width=100), lambda: False)
    progress.lines["Downloading weights"] = ProgressLines(
        progress.bar.console, "Downloading weights", "MB", clock=lambda: now[0]
    )
    with progress:
        for now[0], done in ((0, 0), (6, 60), (12, 65), (40, 400)):
            progress.downloaded(done * MEGABYTE, 500 * MEGABYTE)
    assert text.getvalue().replace(SPACE, " ").splitlines() == [
        "Downloading weights: 60 of 500 MB (12 %), about 44 s left",
        "Downloading weights: 400 of 500 MB (80 %), about 10 s left",
    ]


@pytest.mark.parametrize("total", [500, None])
def test_a_download_on_a_terminal_is_a_bar(total):
    text = io.StringIO()
    with TuneProgress(Console(file=text, force_terminal=True, width=100), lambda: False) as progress:
        progress.downloaded(120 * MEGABYTE, total and total * MEGABYTE)
        progress.bar.refresh()
        assert "Downloading weights, MB" in text.getvalue() and "120/" in text.getvalue()
