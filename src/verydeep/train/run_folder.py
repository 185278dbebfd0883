"""The run folder: the files that a training leaves on disk, and what it resumes from.

model.safetensors   the network, complete (weights/checkpoint_file.py)
recipe.toml         the training recipe, every value written out
tune.toml           of `verydeep tune`: what was asked, and once it is finished what was decided
metrics.jsonl       one line per epoch; of `verydeep tune` metrics-fine-tune.jsonl and metrics-scratch.jsonl
report.html         one page that needs no other file
doubtful-labels.csv of `verydeep tune`: images whose label is doubtful, if any (data/label_file.py)
split.csv           of your own images: which were for training, validation and test (data/split_file.py)
state/              what resuming needs; removed when the run is finished
"""

import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from verydeep.atomic_write import write_text
from verydeep.data.file_name import file_name, same_name
from verydeep.data.split_file import SPLIT_FILE
from verydeep.errors import CheckpointError, RecipeError
from verydeep.train.epoch_result import EpochResult

SHELL_SIGNS = r"[^.\w\u0080-\U0010ffff-]+|[\s\u200b]+"
"""Of ASCII all but letters, digits and ``. _ -``, and white space of any script."""


@dataclass(frozen=True)
class RunFolder:
    """The files in a run's folder."""

    path: Path

    @property
    def model(self) -> Path:
        """The checkpoint."""
        return self.path / "model.safetensors"

    @property
    def recipe(self) -> Path:
        """The recipe of a training as TOML."""
        return self.path / "recipe.toml"

    @property
    def tune(self) -> Path:
        """The decisions of `verydeep tune` as TOML."""
        return self.path / "tune.toml"

    @property
    def split(self) -> Path:
        """Which part each of your own images belongs to."""
        return self.path / SPLIT_FILE

    @property
    def doubtful_labels(self) -> Path:
        """Your own images whose label is doubtful, as CSV; `verydeep data relabel` applies corrections."""
        return self.path / "doubtful-labels.csv"

    @property
    def metrics(self) -> Path:
        """One JSON object per line and epoch."""
        return self.path / "metrics.jsonl"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def state(self) -> Path:
        """The training state; present while the run is unfinished."""
        return self.path / "state" / "state.pt"

    @property
    def plan(self) -> Path:
        """What `verydeep tune` has planned for fine-tuning, as JSON; present while the run is unfinished."""
        return self.path / "state" / "plan.json"

    def state_of(self, strategy: str) -> Path:
        """The training state of one strategy of `verydeep tune`."""
        return self.path / "state" / f"{strategy}.pt"

    def metrics_of(self, strategy: str) -> Path:
        """The epochs of one strategy of `verydeep tune`."""
        return self.path / f"metrics-{strategy}.jsonl"

    @property
    def start(self) -> Path:
        """What the run was started with: job, data, time; present while the run is unfinished."""
        return self.path / "state" / "start.json"

    @property
    def is_unfinished(self) -> bool:
        """Whether there is something to resume."""
        return self.start.is_file()


def require_empty(path: Path) -> RunFolder:
    """The run folder at ``path``, which nothing is in yet.

    Raises:
        RecipeError: where something is in it already.
    """
    folder = RunFolder(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        hint = "Resume it with --resume, or give" if folder.is_unfinished else "Give"
        raise RecipeError(f"{path} is not empty. {hint} another --out")
    return folder


def new_run(path: Path, config: str, start: dict[str, Any]) -> RunFolder:
    """A new run at ``path``.

    Args:
        path: an empty folder, or none.
        config: the recipe of a training, or the settings of a tuning, as TOML.
        start: what else the run is started with; ``job`` is train or tune.

    Raises:
        RecipeError: where something is in the folder already.
    """
    folder = require_empty(path)
    write_text(folder.recipe if start["job"] == "train" else folder.tune, config)
    write_text(folder.start, json.dumps(start))
    return folder


def reopen_run(path: Path, job: str) -> tuple[RunFolder, dict[str, Any]]:
    """The unfinished run at ``path``, and what it was started with.

    Raises:
        CheckpointError: where there is none, it is finished, or it is of another job.
    """
    folder = RunFolder(path)
    if not folder.is_unfinished:
        why = "is finished" if folder.model.exists() else "holds no run"
        raise CheckpointError(
            f"{path} {why}: there is nothing to resume. Leave out --resume to start a new run"
        )
    start: dict[str, Any] = json.loads(folder.start.read_text(encoding="utf-8"))
    if start["job"] != job:
        raise CheckpointError(f"{path} was started by `verydeep {start['job']}`; resume it with that command")
    return folder, start


def run_name(recipe: str, data: str) -> str:
    """A folder name such as ``fast-fashion-mnist`` for a recipe and a data set, both names or paths.

    Letters of every script are kept, in NFC. White space and the signs of a shell become ``-``: the name is
    typed again in the next command.
    """
    path = Path(data).resolve()
    parts = (Path(recipe).stem, path.name if path.is_dir() else path.stem)
    names = (re.sub(SHELL_SIGNS, "-", part).strip("-") for part in parts)
    return file_name("-".join(name or "data" for name in names), "run")


def next_run_path(root: Path, name: str) -> Path:
    """``root/name``, or ``root/name-2`` and so on where that exists."""
    taken = {same_name(path.name) for path in root.iterdir()} if root.is_dir() else set()
    number = 1
    while same_name(candidate := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return root / candidate


def latest_unfinished_run(root: Path, job: str) -> Path:
    """The unfinished run of that job in ``root`` that was saved last.

    Raises:
        CheckpointError: where there is none.
    """
    runs = [path for path in (root.iterdir() if root.is_dir() else ()) if _is_unfinished(path, job)]
    if not runs:
        raise CheckpointError(
            f"there is no unfinished run of `verydeep {job}` in {root}. Name one by --out, or start a new one"
        )
    return max(runs, key=lambda run: RunFolder(run).start.parent.stat().st_mtime)


def _is_unfinished(path: Path, job: str) -> bool:
    folder = RunFolder(path)
    return folder.is_unfinished and json.loads(folder.start.read_text(encoding="utf-8"))["job"] == job


def write_metrics(path: Path, epochs: Iterable[EpochResult]) -> None:
    """Every epoch so far as a line of JSON."""
    write_text(path, "".join(json.dumps(asdict(epoch)) + "\n" for epoch in epochs))


def read_metrics(path: Path, epochs: int | None = None) -> list[EpochResult]:
    """The first ``epochs`` epochs of a run, as far as it got; None is all."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()[:epochs]
    return [EpochResult(**json.loads(line)) for line in lines]


def finish(folder: RunFolder) -> None:
    """Remove what only an unfinished run needs."""
    shutil.rmtree(folder.state.parent, ignore_errors=True)
