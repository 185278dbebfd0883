"""``verydeep runs``: the runs in a folder, and how they differ."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.foreign_text import one_line
from verydeep.saved_runs.differences import differences
from verydeep.saved_runs.saved_run import SavedRun, find_runs
from verydeep.tables.runs_table import difference_lines, run_name, runs_table
from verydeep.terminal.console import out, print_json, print_message
from verydeep.terminal.output_path import require_page, require_writable_folder


def list_runs(
    folder: Annotated[Path, Parameter(name="FOLDER")] = Path("runs"),
    /,
    *,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    tensorboard: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """List the runs of `verydeep train` and `verydeep tune` in FOLDER: accuracy, time, and how they differ.

    Runs that cannot be read are reported and left out; the exit code is then 1.

    Parameters
    ----------
    folder
        A folder with run folders in it, or one run.
    out_
        Also write a page, .html, with the learning curves of all runs, and a table with how their settings
        differ.
    tensorboard
        Also write the epochs of each run as event files into this folder, for `tensorboard --logdir`.
    json
        Print one JSON list with one object per run: run, command, state, recipe, data, network, epochs,
        val_top1, test_top1, seconds, settings, differences.
    """
    _check_outputs(out_, tensorboard)
    found = find_runs(folder)
    runs = found.runs
    _write(runs, folder, out_, tensorboard)
    different = differences(runs)
    if json:
        print_json([run.values | {"differences": each} for run, each in zip(runs, different, strict=True)])
    else:
        out().print(runs_table(runs, folder))
        lines = list(difference_lines(runs, different, folder))
        if lines:
            out().print("\nSettings that most of the runs do not have:")
        for line in lines:
            out().print(one_line(line), markup=False, soft_wrap=True)
        if out_ is not None and runs:
            out().print(f"Page: {out_}", markup=False, soft_wrap=True)
    for problem in found.damaged:
        print_message(problem)
    return 1 if found.damaged else 0


def _check_outputs(page: Path | None, tensorboard: Path | None) -> None:
    if page is not None:
        require_page(page)
    if tensorboard is not None:
        require_writable_folder(tensorboard)
        from verydeep.saved_runs.event_files import require_tensorboard

        require_tensorboard()


def _write(runs: Sequence[SavedRun], folder: Path, page: Path | None, tensorboard: Path | None) -> None:
    if page is not None and runs:
        from verydeep.report.run_comparison.page import write_runs_page  # the table needs no templates

        write_runs_page(runs, folder, page, shlex.join(["verydeep", *sys.argv[1:]]))
    if tensorboard is not None:
        from verydeep.saved_runs.event_files import write_event_files

        count = write_event_files({run_name(run, folder): run for run in runs}, tensorboard)
        command = shlex.join(["tensorboard", "--logdir", str(tensorboard)])
        print_message(f"The epochs of {count:,} runs are in {tensorboard}. Show them by: {command}")
