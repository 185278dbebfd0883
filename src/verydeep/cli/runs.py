"""``verydeep runs``: the runs in a folder, and how they differ."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.foreign_text import one_line
from verydeep.saved_runs.differences import differences
from verydeep.saved_runs.saved_run import find_runs
from verydeep.tables.runs_table import difference_lines, runs_table
from verydeep.terminal.console import out, print_json, print_message


def list_runs(
    folder: Annotated[Path, Parameter(name="FOLDER")] = Path("runs"),
    /,
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """List the runs of `verydeep train` and `verydeep tune` in FOLDER: accuracy, time, and how they differ.

    Runs that cannot be read are reported and left out; the exit code is then 1.

    Parameters
    ----------
    folder
        A folder with run folders in it, or one run.
    json
        Print one JSON list with one object per run: run, command, state, data, network, epochs, val_top1,
        test_top1, seconds, settings, differences.
    """
    found = find_runs(folder)
    runs = found.runs
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
    for problem in found.damaged:
        print_message(problem)
    return 1 if found.damaged else 0
