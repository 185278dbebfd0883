"""An unfinished run: how it is begun, found again, continued and finished, by one process at a time.

A run begins with ``state/start.json``, which holds all that it was started with, and ends when ``state/`` is
removed, after the model and the report are written. A process that is killed in between leaves a run that the
same command continues.
"""

import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from verydeep.architecture.preprocess import Fit
from verydeep.atomic_write import delete_folder, remove_leftovers, write_text
from verydeep.claim import LOCK, claim_folder, is_in_use
from verydeep.decoding.crop import Decoder
from verydeep.errors import CheckpointError, RecipeError
from verydeep.file_name import same_name
from verydeep.foreign_text import error_text
from verydeep.machine import InferencePrecision
from verydeep.name_list import first_names
from verydeep.train.run_folder import RunFolder
from verydeep.user_path import is_same_data

DIFFERENCES_SHOWN = 3
FLAG_NAMES = {"from_run": "from"}
"""Of the keys whose flags have another name: ``from`` is a word of Python."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a run was started with."""

    job: Literal["train", "tune"]
    data: str
    """The name or the location of the images."""
    config: str
    """The recipe of a training, or what was asked of a tuning, as TOML."""
    started: str
    """When, as ISO 8601."""
    weights: str | None = None
    """Those that a tuning took. A resumed one takes them again, whatever the clock or the connection says."""
    size: int | None = None
    """The image size that a tuning took, in px; likewise."""
    fit: Fit | None = None
    """How images become square in a tuning; likewise."""
    precision: InferencePrecision | None = None
    """That a tuning computes features in; likewise."""
    decoder: Decoder = "pillow"
    """What decodes random crops of images that are not kept in memory; a resumed run takes the same."""
    seconds: float = 0.0
    """Of the processes that a tuning was interrupted in."""
    size_reason: str = ""
    fit_reason: str = ""
    weights_reason: str = ""


@contextmanager
def claimed_run(path: Path) -> Iterator[RunFolder]:
    """The run folder at ``path`` for this process alone; what killed processes left in it is removed.

    Raises:
        InUseError: where another process works on it.
        RecipeError: where it is a file.
        OSError: where it cannot be written to.
    """
    if path.exists() and not path.is_dir():
        raise RecipeError(f"{path} is a file. Give another --out")
    folder = RunFolder(path)
    with claim_folder(path):
        remove_leftovers(path)
        remove_leftovers(folder.state.parent)
        with suppress(OSError):  # something is in it, or it does not exist
            folder.state.parent.rmdir()
        yield folder


def begin(folder: RunFolder, start: Start) -> None:
    """Begin a run in ``folder``; from then on it is unfinished."""
    write_text(folder.start, json.dumps(asdict(start)))


def require_empty(folder: RunFolder) -> None:
    """Refuse a folder that something is in.

    Raises:
        RecipeError: naming what is done about it.
    """
    if not _is_empty(folder):
        what = "holds a finished run" if folder.model.exists() else "is not empty"
        raise RecipeError(f"{folder.path} {what}. Give another --out")


def _is_empty(folder: RunFolder) -> bool:
    return all(child.name == LOCK for child in folder.path.iterdir())


def require_unfinished(path: Path, job: str) -> Start:
    """What the unfinished run at ``path`` was started with.

    Raises:
        CheckpointError: where there is none, it is finished, or it is of another job.
    """
    folder = RunFolder(path)
    if not folder.is_unfinished:
        why = "is finished" if folder.model.exists() else "holds no run"
        raise CheckpointError(
            f"{path} {why}: there is nothing to resume. Leave out --resume to start a new run"
        )
    start = read_start(folder)
    if start.job != job:
        raise CheckpointError(f"{path} was started by `verydeep {start.job}`; resume it with that command")
    return start


def read_start(folder: RunFolder) -> Start:
    """What the unfinished run in ``folder`` was started with.

    Raises:
        CheckpointError: where the file is damaged.
    """
    try:
        # Not validate_json, which refuses what stands for bytes that are not UTF-8 in the names of folders.
        start = _START.validate_python(json.loads(folder.start.read_bytes()))
        tomllib.loads(start.config)
    except ValueError as error:
        raise CheckpointError(
            f"{folder.start} is damaged: {error_text(error)}. Start over with --new"
        ) from None
    return start


_START = TypeAdapter(Start)


def require_same(path: Path, asked: Start) -> Start:
    """What the unfinished run at ``path`` was started with, where it is what is ``asked`` for now.

    Raises:
        CheckpointError: where it is of another job or other data.
        RecipeError: naming the settings that differ.
    """
    start = require_unfinished(path, asked.job)
    if not is_same_data(start.data, asked.data):
        raise CheckpointError(f"{path} was started on {start.data}; it cannot be resumed on {asked.data}")
    before, now = (_flat(tomllib.loads(config)) for config in (start.config, asked.config))
    differ = [key for key in now | before if before.get(key) != now.get(key)]
    if differ:
        changes = [f"{_setting(key, before)}, not {_setting(key, now)}" for key in differ]
        shown = first_names(changes, DIFFERENCES_SHOWN, "; ")
        raise RecipeError(
            f"{path} is unfinished and was started with {shown}. Leave that as it was to resume, give "
            "another --out, or start over with --new"
        )
    return start


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _setting(key: str, values: dict[str, Any]) -> str:
    """As it is written on the command line."""
    flag = flag_of(key)
    return f"{flag} {values[key]}" if key in values else f"the default of {flag}"


def flag_of(key: str) -> str:
    """The flag for a key of a recipe or of tune.toml, such as ``optimizer.lr``."""
    return f"--{FLAG_NAMES.get(key, key).replace('_', '-')}"


def finish(folder: RunFolder) -> None:
    """Remove what only an unfinished run needs, all at once."""
    delete_folder(folder.state.parent)


def start_over(path: Path) -> None:
    """Delete the unfinished run at ``path``, if there is one.

    Raises:
        InUseError: where another process works on it.
    """
    with claimed_run(path) as folder:
        if folder.is_unfinished:
            for file in (
                folder.model, folder.recipe, folder.tune, folder.report, folder.split, folder.doubtful_labels
            ):  # fmt: skip
                file.unlink(missing_ok=True)
            for file in path.glob("metrics*.jsonl"):
                file.unlink()
            finish(folder)  # last: a kill before leaves an unfinished run


def next_run_path(root: Path, name: str) -> Path:
    """``root/name``, or ``root/name-2`` and so on where something is in that."""
    taken = {same_name(path.name) for path in root.iterdir()} if root.is_dir() else set()
    number = 1
    while same_name(candidate := name if number == 1 else f"{name}-{number}") in taken:
        if _has_no_run(root / candidate):
            break
        number += 1
    return root / candidate


def _has_no_run(path: Path) -> bool:
    """Whether it is a folder with only what a killed process left before its run began."""
    try:
        if not path.is_dir() or is_in_use(path):
            return False
        with claimed_run(path) as folder:
            return _is_empty(folder)
    except OSError:  # such as that of another user
        return False


def run_path(root: Path, name: str, asked: Start) -> Path:
    """The unfinished run in ``root`` that the same command began, if it is free; else the next path."""
    begun = [path for path in _unfinished_runs(root, asked.job) if _is_same(path, asked)]
    free = [path for path in begun if _is_free(path)]
    return max(free, key=_saved) if free else next_run_path(root, name)


def _is_free(run: Path) -> bool:
    """Whether this process may work on it: no other does, and it may be written to."""
    try:
        return os.access(run, os.W_OK) and not is_in_use(run)
    except OSError:  # such as that of another user
        return False


def _is_same(path: Path, asked: Start) -> bool:
    start = read_start(RunFolder(path))
    is_same_config = tomllib.loads(start.config) == tomllib.loads(asked.config)
    return is_same_config and is_same_data(start.data, asked.data)


def latest_unfinished_run(root: Path, job: str) -> Path:
    """The unfinished run of that job in ``root`` that was saved last.

    Raises:
        CheckpointError: where there is none.
    """
    runs = _unfinished_runs(root, job)
    if not runs:
        raise CheckpointError(
            f"there is no unfinished run of `verydeep {job}` in {root}. Name one by --out, or start a new one"
        )
    return max(runs, key=_saved)


def _saved(run: Path) -> float:
    return RunFolder(run).start.parent.stat().st_mtime


def _unfinished_runs(root: Path, job: str) -> list[Path]:
    """Those whose start can be read: folders of other users may be closed."""
    found = []
    for path in root.iterdir() if root.is_dir() else ():
        with suppress(CheckpointError, OSError):
            if RunFolder(path).is_unfinished and read_start(RunFolder(path)).job == job:
                found.append(path)
    return found
