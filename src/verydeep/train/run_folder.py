"""The run folder: what a training leaves on disk, and what it goes on from.

model.safetensors   the network, complete (weights/checkpoint.py)
recipe.toml         the recipe, every value written out; of a tuning tune.toml, what was asked for
metrics.jsonl       one line an epoch
report.html         one page that opens anywhere
split.csv           of a tuning, which images trained and which tested (data/partition.py)
state/              what --resume needs; gone when the run is finished
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tomli_w

from verydeep.atomic_write import atomic_write
from verydeep.data.split_file import SPLIT_FILE
from verydeep.errors import CheckpointError, RecipeError
from verydeep.train.epoch_result import EpochResult
from verydeep.train.recipe import Recipe, read_recipe, to_toml


@dataclass(frozen=True)
class RunFolder:
    """The places in a run's folder."""

    path: Path

    @property
    def model(self) -> Path:
        """The checkpoint."""
        return self.path / "model.safetensors"

    @property
    def recipe(self) -> Path:
        """The recipe as TOML."""
        return self.path / "recipe.toml"

    @property
    def settings(self) -> Path:
        """What was asked of a tuning, as TOML."""
        return self.path / "tune.toml"

    @property
    def split(self) -> Path:
        """What each image of a tuning was for."""
        return self.path / SPLIT_FILE

    @property
    def metrics(self) -> Path:
        """One JSON object a line and epoch."""
        return self.path / "metrics.jsonl"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def state(self) -> Path:
        """The training state; there while the run is unfinished."""
        return self.path / "state" / "state.pt"

    @property
    def start(self) -> Path:
        """What the run was started with: data, command, time."""
        return self.path / "state" / "start.json"

    @property
    def is_unfinished(self) -> bool:
        """Whether there is something to resume."""
        return self.start.is_file() and self.recipe.is_file()


def new_run(path: Path, recipe: Recipe, start: dict[str, Any]) -> RunFolder:
    """An empty run at ``path``.

    Raises:
        RecipeError: where a run lies there already.
    """
    folder = RunFolder(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        hint = "Go on with it by --resume, or give" if folder.is_unfinished else "Give"
        raise RecipeError(f"{path} is not empty. {hint} another --out")
    _write(folder.recipe, to_toml(recipe))
    _write(folder.start, json.dumps(start))
    return folder


def new_tuning(path: Path) -> RunFolder:
    """An empty place for a tuning at ``path``.

    Raises:
        RecipeError: where something lies there already.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RecipeError(f"{path} is not empty. Give another --out")
    return RunFolder(path)


def write_settings(folder: RunFolder, values: dict[str, Any]) -> None:
    """What was asked of a tuning."""
    _write(folder.settings, tomli_w.dumps(values))


def reopen_run(path: Path) -> tuple[RunFolder, Recipe, dict[str, Any]]:
    """The unfinished run at ``path``, its recipe, and what it was started with.

    Raises:
        CheckpointError: where there is none, or it is finished.
    """
    folder = RunFolder(path)
    if not folder.is_unfinished:
        why = "is finished" if folder.model.exists() else "holds no run"
        raise CheckpointError(f"{path} {why}: there is nothing to resume. Leave --resume out to start anew")
    start: dict[str, Any] = json.loads(folder.start.read_text(encoding="utf-8"))
    return folder, read_recipe(str(folder.recipe)), start


def next_run_path(root: Path, name: str) -> Path:
    """``root/name``, or ``root/name-2`` and so on where that is taken."""
    taken = {path.name for path in root.iterdir()} if root.is_dir() else set()
    number = 1
    while (candidate := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return root / candidate


def latest_unfinished_run(root: Path) -> Path:
    """The unfinished run in ``root`` that was saved last.

    Raises:
        CheckpointError: where there is none.
    """
    runs = [path for path in (root.iterdir() if root.is_dir() else ()) if RunFolder(path).is_unfinished]
    if not runs:
        raise CheckpointError(f"there is no unfinished run in {root}. Name one by --out, or start anew")
    return max(runs, key=lambda run: RunFolder(run).start.parent.stat().st_mtime)


def write_metrics(folder: RunFolder, epochs: Iterable[EpochResult]) -> None:
    """Every epoch so far as a line of JSON."""
    _write(folder.metrics, "".join(json.dumps(asdict(epoch)) + "\n" for epoch in epochs))


def read_metrics(folder: RunFolder, epochs: int) -> list[EpochResult]:
    """The first ``epochs`` epochs of an earlier part of the run."""
    if not folder.metrics.exists():
        return []
    lines = folder.metrics.read_text(encoding="utf-8").splitlines()[:epochs]
    return [EpochResult(**json.loads(line)) for line in lines]


def finish(folder: RunFolder) -> None:
    """Remove what only an unfinished run needs."""
    shutil.rmtree(folder.state.parent, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
