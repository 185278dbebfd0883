"""Which run folder `train` and `tune` work in: an unfinished one that is continued, or a new one."""

from pathlib import Path

from verydeep.errors import RecipeError
from verydeep.terminal.console import print_message
from verydeep.train.run_folder import RunFolder
from verydeep.train.unfinished_run import (
    Start,
    latest_unfinished_run,
    next_run_path,
    require_unfinished,
    run_path,
)


def resumed_run(root: Path, job: str, out: Path | None, *, new: bool) -> Path:
    """The run of --resume: ``out``, or the latest unfinished one in ``root``.

    Raises:
        RecipeError: beside --new.
        CheckpointError: where there is no unfinished run.
    """
    if new:
        raise RecipeError("--resume continues a run and --new starts over; give one of them")
    run = out or latest_unfinished_run(root, job)
    require_unfinished(run, job)
    return run


def started_run(root: Path, name: str, start: Start, out: Path | None, *, new: bool) -> Path:
    """The run without --resume: ``out``, or the unfinished one in ``root`` of the same command, or a new one.

    With ``new``, none is continued; one that is in ``out`` is deleted later, by ``start_over``.
    """
    if new:
        return out or next_run_path(root, name)
    run = out or run_path(root, name, start)
    if out is None and RunFolder(run).is_unfinished:
        print_message(f"Continuing the unfinished run in {run}; --new starts another one")
    return run
