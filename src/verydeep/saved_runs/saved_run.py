"""What the folder of a run says about it: settings, progress and accuracy."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from verydeep.claim import is_in_use
from verydeep.errors import CheckpointError, DataError, RecipeError
from verydeep.saved_runs.recipe_of_run import NearestRecipe, flat_settings, nearest_recipe
from verydeep.train.epoch_result import EpochResult
from verydeep.train.recipe import Recipe, parse_recipe
from verydeep.train.run_folder import RunFolder, read_metrics
from verydeep.train.unfinished_run import read_start
from verydeep.tune.config import TuneConfig, parse_tune_config
from verydeep.weight_files.checkpoint_description import checkpoint_path, read_description

State = Literal["finished", "running", "unfinished"]
DEPTH = 3
"""Folders below the given one that are searched: runs/, and a folder for each project in it."""


@dataclass(frozen=True, kw_only=True)
class SavedRun:
    """One run; what is not known is None."""

    path: Path
    command: Literal["train", "tune"]
    state: State
    data: str | None
    network: str | None
    """The name of its architecture, or the model that is being trained."""
    epochs: int
    """Epochs finished; 0 for a linear probe."""
    val_top1: float | None
    """Of the last epoch, in [0, 1]."""
    test_top1: float | None
    """Accuracy on the test images, in [0, 1]."""
    seconds: float | None
    """Of training."""
    settings: Mapping[str, Any]
    """All that it was trained with, under keys such as optimizer.lr."""
    recipe: NearestRecipe | None
    """Of this package, the nearest one to ``settings``; None for a tuning."""
    history: tuple[EpochResult, ...]
    """The epochs finished."""

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "run": str(self.path),
            "command": self.command,
            "state": self.state,
            "recipe": self.recipe and {"name": self.recipe.name, "changed": self.recipe.changed},
            "data": self.data,
            "network": self.network,
            "epochs": self.epochs,
            "val_top1": self.val_top1,
            "test_top1": self.test_top1,
            "seconds": self.seconds,
            "settings": dict(self.settings),
        }


@dataclass(frozen=True)
class FoundRuns:
    """The runs in a folder, by path."""

    runs: tuple[SavedRun, ...]
    damaged: tuple[str, ...]
    """What is wrong with each run that cannot be read."""


def find_runs(folder: Path) -> FoundRuns:
    """The runs in ``folder`` and the folders below it.

    Raises:
        DataError: if there is no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; expected the folder of your runs, such as runs/")
    runs, damaged = list[SavedRun](), list[str]()
    for path in _run_folders(folder, DEPTH, damaged):
        try:
            runs.append(read_run(path))
        except (CheckpointError, OSError) as error:
            damaged.append(str(error))
    if not runs and not damaged:
        raise DataError(f"{folder} has no runs of `verydeep train` or `verydeep tune` in it")
    return FoundRuns(tuple(runs), tuple(damaged))


def _run_folders(folder: Path, depth: int, damaged: list[str]) -> Iterator[Path]:
    """Folders with a recipe, and with a network or the start of one; ``damaged`` gets what cannot be read."""
    run, inside = RunFolder(folder), list[Path]()
    try:
        is_run = (run.recipe.is_file() or run.tune.is_file()) and (
            checkpoint_path(folder).is_file() or run.is_unfinished
        )
        if depth and not is_run:
            inside = [each for each in sorted(folder.iterdir()) if _may_hold_runs(each)]
    except OSError as error:
        damaged.append(str(error))
        return
    if is_run:
        yield folder
    for each in inside:
        yield from _run_folders(each, depth - 1, damaged)


def _may_hold_runs(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_dir() and not path.is_symlink()


def _metrics_of_tuning(folder: RunFolder, strategy: str) -> Path:
    """The metrics file of the chosen strategy; of an unfinished tuning, the one that was written last."""
    written = sorted(folder.path.glob("metrics-*.jsonl"), key=lambda file: file.stat().st_mtime_ns)
    return written[-1] if written and folder.is_unfinished else folder.metrics_of(strategy)


def read_run(path: Path) -> SavedRun:
    """The run in the folder at ``path``, which has a recipe.

    Raises:
        CheckpointError: if its recipe, its epochs or its checkpoint cannot be read.
    """
    folder = RunFolder(path)
    is_tune = folder.tune.is_file()
    settings = _settings(*((folder.tune, parse_tune_config) if is_tune else (folder.recipe, parse_recipe)))
    file = checkpoint_path(path)
    description = read_description(file) if file.is_file() else None
    origin = _checked(description.origin, file) if description else {}
    epochs = read_metrics(
        _metrics_of_tuning(folder, origin.get("strategy", "")) if is_tune else folder.metrics
    )
    last = epochs[-1] if epochs else None
    planned = settings.get("model") or settings.get("weights")
    return SavedRun(
        path=path,
        command="tune" if is_tune else "train",
        state=_state(folder),
        data=read_start(folder).data if folder.is_unfinished else origin.get("data"),
        network=description.architecture.name if description else planned,
        epochs=len(epochs),
        val_top1=last.val_top1 if last else None,
        test_top1=origin.get("test_top1"),
        seconds=last.seconds if last else None,
        settings=settings,
        recipe=None if is_tune else nearest_recipe(settings),
        history=tuple(epochs),
    )


def _checked(origin: Mapping[str, Any], file: Path) -> Mapping[str, Any]:
    """``origin``, which anyone may have written.

    Raises:
        CheckpointError: where what is shown of it is of another type.
    """
    for key, types in {"data": str, "strategy": str, "test_top1": int | float}.items():
        if (value := origin.get(key)) is not None and not isinstance(value, types):
            raise CheckpointError(f"{file} has {key} = {value!r}, which `verydeep train` does not write")
    return origin


def _state(folder: RunFolder) -> State:
    if not folder.is_unfinished:
        return "finished"
    try:
        return "running" if is_in_use(folder.path) else "unfinished"
    except OSError:  # a lock that may not be opened: of another user, who may be at work
        return "running"


def _settings(file: Path, parse: Callable[[str, str], Recipe | TuneConfig]) -> dict[str, Any]:
    """Every field of a recipe; one that an older version did not write has its default."""
    try:
        return flat_settings(parse(file.read_text(encoding="utf-8"), str(file)))
    except (RecipeError, ValueError, OSError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from None
