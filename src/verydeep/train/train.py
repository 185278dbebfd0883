"""`verydeep train`: a training from recipe to run folder, and its one measurement on the test images."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from verydeep.architecture.architecture import Architecture
from verydeep.data.images import Dataset
from verydeep.data.split_file import indices_of, require_same_split, write_split
from verydeep.download.download import Progress
from verydeep.errors import CheckpointError
from verydeep.evaluate.evaluation import Evaluation, evaluate_logits
from verydeep.evaluate.logits import predict_logits
from verydeep.evaluate.metrics import Mistake, most_confident_mistakes
from verydeep.malloc import keep_freed_memory
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.device import Device, choose_device, choose_precision, describe, fabric_on
from verydeep.train.epoch_result import EpochResult
from verydeep.train.prepare import Prepared, prepare
from verydeep.train.recipe import Recipe, read_recipe, to_toml
from verydeep.train.run import Job, Trained, TrainingWatcher, run_training, trained_stages
from verydeep.train.run_folder import RunFolder, finish, new_run, reopen_run, require_empty
from verydeep.weights.checkpoint_file import save


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """A finished training."""

    run: Path
    recipe: Recipe
    dataset: Dataset
    """The images that it was trained and tested on."""
    architecture: Architecture
    epochs: tuple[EpochResult, ...]
    validation: Evaluation | None
    """On the validation images; None where the recipe trains on all images."""
    test: Evaluation
    """The only reading of the test images."""
    mistakes: tuple[Mistake, ...]
    """The most confident mistakes on the test images."""
    test_names: tuple[str, ...]
    """The name of each test image."""
    notes: tuple[str, ...]
    """What a person should know of the data: images that were left out, their size."""
    machine: dict[str, str]
    started: datetime
    best_epoch: int | None
    """The epoch that was kept, where it was chosen on validation images; 0 is the network as it started."""
    seconds: float
    """Training: data, augmentation and steps, without startup and evaluation."""


def train_network(
    recipe: Recipe,
    data: Dataset | str,
    out: Path | str,
    *,
    device: Device = "auto",
    watcher: TrainingWatcher | None = None,
    progress: Progress | None = None,
) -> TrainResult:
    """Train by ``recipe`` on ``data`` into the new run folder ``out``.

    Args:
        recipe: the training configuration, such as ``read_recipe("fast")``.
        data: a data set in memory, the name of a built-in one, or your own images: a folder with a folder for
            each
            class, a list, shards, a Hugging Face data set (``data/open_images.py``).
        out: the run folder.
        device: where to train; auto uses a GPU where there is one.
        watcher: what follows the training.
        progress: called while a built-in data set is downloaded.

    Raises:
        RecipeError: where ``out`` is not empty, or the machine has no such device.
        DataError: where the images cannot be used.
        CheckpointError: where the weights cannot be used.
        ShapeError: where the network cannot take images of this size.
        LearningError: where training does not learn.
        Interrupted: where ``watcher`` wants to stop; the run is saved.
    """
    require_empty(Path(out))
    choose_device(device)
    prepared = prepare(recipe, data, progress)
    trained_stages(recipe, prepared.network.model.architecture)  # all errors come before there is a folder
    start = {
        "job": "train",
        "data": data if isinstance(data, str) else data.name,
        "started": datetime.now(UTC).isoformat(),
    }
    folder = new_run(Path(out), to_toml(recipe), start)
    if prepared.samples is not None:
        write_split(prepared.samples, folder.split)
    return _run(folder, recipe, prepared, start, device, watcher or TrainingWatcher())


def resume_training(
    data: Dataset | str,
    out: Path | str,
    *,
    device: Device = "auto",
    watcher: TrainingWatcher | None = None,
    progress: Progress | None = None,
) -> TrainResult:
    """Resume the unfinished run in ``out``: on a CPU to the same bits as if it had never stopped.

    Raises:
        CheckpointError: where ``out`` holds no unfinished training on this data.
        LearningError: where training does not learn.
        Interrupted: where ``watcher`` wants to stop; the run is saved.
    """
    folder, start = reopen_run(Path(out), "train")
    name = data if isinstance(data, str) else data.name
    if start["data"] != name:
        raise CheckpointError(f"{out} was started on {start['data']}; it cannot be resumed on {name}")
    recipe = read_recipe(str(folder.recipe))
    prepared = prepare(recipe, data, progress)
    if prepared.samples is not None:
        require_same_split(prepared.samples, folder.split)
    return _run(folder, recipe, prepared, start, device, watcher or TrainingWatcher())


def _run(
    folder: RunFolder,
    recipe: Recipe,
    prepared: Prepared,
    start: dict[str, str],
    device: Device,
    watcher: TrainingWatcher,
) -> TrainResult:
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
    trained = run_training(job, fabric_on(chosen, recipe.precision), watcher)
    logits = predict_logits(trained.network.model, dataset.test.pixels, trained.network.preprocess)
    test = evaluate_logits(logits, dataset.test.labels, dataset.classes)
    save(_with_origin(trained, recipe, start["data"], test), folder.model)
    result = TrainResult(
        run=folder.path,
        recipe=recipe,
        dataset=dataset,
        architecture=trained.network.model.architecture,
        epochs=trained.epochs,
        validation=_validation(trained.network, dataset),
        test=test,
        mistakes=most_confident_mistakes(logits, dataset.test.labels, dataset.classes),
        test_names=_test_names(prepared),
        notes=prepared.notes,
        machine=describe(chosen, choose_precision(recipe.precision, chosen)),
        started=datetime.fromisoformat(start["started"]),
        best_epoch=trained.best_epoch,
        seconds=trained.seconds,
    )
    finish(folder)
    return result


def _with_origin(trained: Trained, recipe: Recipe, data: str, test: Evaluation) -> Checkpoint:
    origin = {
        "verydeep": version("verydeep"),
        "data": data,
        "recipe": to_toml(recipe),
        "seed": recipe.seed,
        "epochs": len(trained.epochs) if trained.best_epoch is None else trained.best_epoch,
        "test_top1": test.top1,
    }
    return replace(trained.network, origin=origin)


def _test_names(prepared: Prepared) -> tuple[str, ...]:
    if prepared.samples is None:
        return tuple(f"Test image {index}" for index in range(len(prepared.dataset.test)))
    return tuple(prepared.samples.names[i] for i in indices_of(prepared.samples, "test").tolist())


def _validation(network: Checkpoint, dataset: Dataset) -> Evaluation | None:
    if dataset.val is None:
        return None
    logits = predict_logits(network.model, dataset.val.pixels, network.preprocess)
    return evaluate_logits(logits, dataset.val.labels, dataset.classes)
