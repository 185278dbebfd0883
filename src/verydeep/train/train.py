"""`verydeep train`: a training from recipe to run folder, and its one measurement on the test images."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from verydeep.atomic_write import require_room, write_text
from verydeep.data.images import Dataset
from verydeep.data.images_on_disk import DatasetOnDisk
from verydeep.data.split_file import keep_split
from verydeep.decoding.crop import default_decoder
from verydeep.download.download import Progress
from verydeep.foreign_text import valid_text
from verydeep.machine import Device, Parallel
from verydeep.malloc import keep_freed_memory
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.device import choose_device
from verydeep.train.parallel.collectives import by_first
from verydeep.train.parallel.process_group import process_group
from verydeep.train.parallel.ranks import is_first, share_of_rank
from verydeep.train.parallel.same_images import require_same_images
from verydeep.train.parallel.store import wait_for_all
from verydeep.train.prepare import Prepared, prepare
from verydeep.train.recipe import Recipe, parse_recipe, to_toml
from verydeep.train.result.measure import measure_training
from verydeep.train.result.train_result import TrainResult
from verydeep.train.run import (
    Job,
    TrainingWatcher,
    fabric_on,
    run_training,
)
from verydeep.train.run_folder import RunFolder
from verydeep.train.state import require_full_slices, trained_stages
from verydeep.train.unfinished_run import (
    Start,
    begin,
    claimed_run,
    finish,
    require_empty,
    require_same,
    require_unfinished,
)
from verydeep.weight_files.checkpoint_file import save

Report = Callable[[TrainResult], None]
"""Writes the report of a run, which is finished after that."""
FILES = 3
"""Of the size of the network, that a run writes at least: the model, and the old and the new state."""


def train_network(
    recipe: Recipe,
    data: Dataset | str,
    out: Path | str,
    *,
    device: Device = "auto",
    parallel: Parallel = "data",
    watcher: TrainingWatcher | None = None,
    progress: Progress | None = None,
    report: Report = lambda result: None,
) -> TrainResult:
    """Train by ``recipe`` on ``data`` into the run folder ``out``.

    Where ``out`` holds an unfinished run of the same recipe on the same data, that run is resumed.

    Args:
        recipe: the training configuration, such as ``read_recipe("fast")``.
        data: a data set in memory, the name of a built-in one, or your own images: a folder with a folder for
            each
            class, a list, shards, a Hugging Face data set (``image_sources/open_images.py``).
        out: the run folder.
        device: where to train; auto uses a GPU where there is one.
        parallel: how several ranks share the work.
        watcher: what follows the training.
        progress: called while a built-in data set or published weights are downloaded.
        report: called with the result; the run is unfinished until it returns.

    Raises:
        RecipeError: where ``out`` is not empty, or holds an unfinished run of another recipe, or the machine
            has no such device.
        InUseError: where another process writes to ``out``.
        DataError: where the images cannot be used.
        CheckpointError: where the weights cannot be used, or ``out`` holds an unfinished run on other data.
        ShapeError: where the network cannot take images of this size.
        LearningError: where training does not learn.
        Interrupted: where ``watcher`` wants to stop; the run is saved.
        RankError: where the ranks have different images, or one of them failed.
        OSError: where ``out`` cannot be written to, or the disk is full.
    """
    watcher, start = watcher or TrainingWatcher(), new_start(recipe, data)
    with process_group(choose_device(device)), _claimed_by_first(Path(out)) as folder:
        share_of_rank(recipe.slices)  # all errors come before the run begins
        if by_first(lambda: folder.is_unfinished):
            by_first(lambda: require_same(folder.path, start))
            return _resume(folder, data, device, parallel, watcher, progress, report)
        by_first(lambda: require_empty(folder))
        prepared = _prepared(recipe, data, progress, start)
        trained_stages(recipe, prepared.network.model.architecture)
        require_full_slices(recipe, len(prepared.dataset.train))
        by_first(lambda: _begin(folder, start, prepared))
        return _run(folder, start, prepared, device, parallel, watcher, report)


def resume_training(
    data: Dataset | str,
    out: Path | str,
    *,
    device: Device = "auto",
    parallel: Parallel = "data",
    watcher: TrainingWatcher | None = None,
    progress: Progress | None = None,
    report: Report = lambda result: None,
) -> TrainResult:
    """Resume the unfinished run in ``out``: on a CPU to the same bits as if it had never stopped.

    Raises:
        CheckpointError: where ``out`` holds no unfinished training on this data.
        InUseError: where another process writes to ``out``.
        LearningError: where training does not learn.
        Interrupted: where ``watcher`` wants to stop; the run is saved.
        RankError: where the ranks have different images, or one of them failed.
        OSError: where ``out`` cannot be written to, or the disk is full.
    """
    with process_group(choose_device(device)):
        start = by_first(lambda: require_unfinished(Path(out), "train"))
        by_first(lambda: require_same(Path(out), replace(start, data=_name(data))))
        with _claimed_by_first(Path(out)) as folder:
            return _resume(folder, data, device, parallel, watcher or TrainingWatcher(), progress, report)


@contextmanager
def _claimed_by_first(path: Path) -> Iterator[RunFolder]:
    """The run folder at ``path``, which the first rank claims, and alone writes to."""
    with ExitStack() as stack:
        by_first(lambda: _claim(stack, path))
        yield RunFolder(path)


def _claim(stack: ExitStack, path: Path) -> None:
    stack.enter_context(claimed_run(path))


def _begin(folder: RunFolder, start: Start, prepared: Prepared) -> None:
    require_room(folder.path, FILES * _bytes(prepared.network))
    begin(folder, start)


def new_start(recipe: Recipe, data: Dataset | str) -> Start:
    """What a training by ``recipe`` on ``data`` is started with, now."""
    return Start(
        job="train",
        data=_name(data),
        config=to_toml(recipe),
        started=datetime.now(UTC).isoformat(),
        decoder=default_decoder(),
    )


def unfinished_recipe(run: Path, changes: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe of the unfinished training in ``run``, with ``changes`` such as ``{"epochs": 5}``.

    Raises:
        CheckpointError: where there is no unfinished training.
        RecipeError: naming what is wrong with the changes.
    """
    return _recipe_of(require_unfinished(run, "train"), RunFolder(run), changes)


def _recipe_of(start: Start, folder: RunFolder, changes: Mapping[str, Any] | None = None) -> Recipe:
    return parse_recipe(start.config, str(folder.recipe), changes)


def _name(data: Dataset | str) -> str:
    return data if isinstance(data, str) else data.name


def _bytes(network: Checkpoint) -> int:
    return sum(tensor.nbytes for tensor in network.model.state_dict().values())


def _prepared(recipe: Recipe, data: Dataset | str, progress: Progress | None, start: Start) -> Prepared:
    """What each rank trains with, once all have it: to read takes longer than ranks wait in training."""
    prepared = prepare(recipe, data, progress, start.decoder)
    wait_for_all("prepared")
    return prepared


def _resume(
    folder: RunFolder,
    data: Dataset | str,
    device: Device,
    parallel: Parallel,
    watcher: TrainingWatcher,
    progress: Progress | None,
    report: Report,
) -> TrainResult:
    start = by_first(lambda: require_unfinished(folder.path, "train"))
    prepared = _prepared(_recipe_of(start, folder), data, progress, start)
    return _run(folder, start, prepared, device, parallel, watcher, report)


def _run(
    folder: RunFolder,
    start: Start,
    prepared: Prepared,
    device: Device,
    parallel: Parallel,
    watcher: TrainingWatcher,
    report: Report,
) -> TrainResult:
    recipe = _recipe_of(start, folder)
    if is_first():
        _keep_what_decides(folder, start, prepared)
    wait_for_all("kept")  # the split of millions of images takes longer than ranks wait in training
    require_same_images(prepared)
    keep_freed_memory()
    watcher.has_found(prepared.found)
    chosen, dataset = choose_device(device), prepared.dataset
    job = Job(
        name="training",
        recipe=recipe,
        network=prepared.network,
        train=dataset.train,
        val=dataset.val,
        state=folder.state,
        metrics=folder.metrics,
    )
    trained = run_training(job, fabric_on(chosen, recipe.precision), watcher, parallel=parallel)
    result = measure_training(
        trained,
        prepared,
        recipe=recipe,
        run=folder.path,
        started=datetime.fromisoformat(start.started),
        device=chosen,
    )
    network = _with_origin(trained.network, result, start.data)
    if is_first():
        save(network, folder.model)
        report(result)
        finish(folder)
    return result


def _keep_what_decides(folder: RunFolder, start: Start, prepared: Prepared) -> None:
    write_text(folder.recipe, start.config)
    if prepared.samples is not None:
        keep_split(prepared.samples, folder.split)


def _with_origin(network: Checkpoint, result: TrainResult, data: str) -> Checkpoint:
    origin = {
        "verydeep": version("verydeep"),
        "data": valid_text(data),  # bytes of a path that are not UTF-8 have no place in JSON
        "recipe": to_toml(result.recipe),
        "seed": result.recipe.seed,
        "epochs": len(result.epochs) if result.best_epoch is None else result.best_epoch,
        "test_top1": result.test.top1,
    }
    if isinstance(result.dataset, DatasetOnDisk):
        origin["decoder"] = result.dataset.train.decoder
    return replace(network, origin=origin)
