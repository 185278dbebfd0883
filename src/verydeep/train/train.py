"""A training from recipe to run folder: the loop, what is saved as it goes, the one look at the test set."""

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from verydeep.architecture.architecture import Architecture
from verydeep.data.images import Dataset
from verydeep.errors import CheckpointError, Interrupted
from verydeep.evaluate.logits import predict_logits
from verydeep.evaluate.metrics import Evaluation, Mistake, evaluation, worst_mistakes
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.models.initialization import initialize_from_shallower
from verydeep.train.device import Device, choose_device, choose_precision, describe
from verydeep.train.epoch_result import EpochResult
from verydeep.train.loop import Course, fit
from verydeep.train.malloc import keep_freed_memory
from verydeep.train.recipe import Recipe, to_toml
from verydeep.train.run_folder import RunFolder, finish, new_run, read_metrics, reopen_run, write_metrics
from verydeep.train.setup import course, fitted_architecture, initial_state, sized
from verydeep.train.state import TrainingState, load_state, save_state
from verydeep.weights import checkpoint_file as checkpoint


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """A finished training."""

    run: Path
    recipe: Recipe
    architecture: Architecture
    epochs: tuple[EpochResult, ...]
    validation: Evaluation | None
    """On the images held back; None where the recipe trains on all."""
    test: Evaluation
    """The only reading of the test set."""
    mistakes: tuple[Mistake, ...]
    """On the test images, the surest first."""
    machine: dict[str, str]
    started: datetime
    seconds: float
    """Training: data, augmentation and steps, without start-up and evaluation."""


class Watcher:
    """What a caller may follow a training by; every method may be left as it is."""

    def begins(self, architecture: Architecture, course: Course, state: TrainingState, run: Path) -> None:
        """Training is about to begin, or to go on."""

    def stepped(self, state: TrainingState) -> None:
        """A step was made."""

    def finished_epoch(self, result: EpochResult) -> None:
        """An epoch was finished and saved."""

    def wants_to_stop(self) -> bool:
        """Whether to save and stop now; asked after every step."""
        return False


def start(
    recipe: Recipe,
    dataset: Dataset,
    out: Path | str,
    *,
    device: Device = "auto",
    watcher: Watcher | None = None,
) -> RunResult:
    """Train by ``recipe`` on ``dataset`` into the new run folder ``out``.

    Raises:
        RecipeError: where ``out`` is taken, or the machine has no such device.
        ShapeError: where the network cannot take images of this size.
        LearningError: where training does not learn.
        Interrupted: where ``watcher`` wants to stop; the run is saved.
    """
    fitted_architecture(recipe, dataset)
    choose_device(device)  # what cannot be is refused before there is a folder
    new_run(Path(out), recipe, {"data": dataset.name, "started": datetime.now(UTC).isoformat()})
    return resume(dataset, out, device=device, watcher=watcher)


def resume(
    dataset: Dataset, out: Path | str, *, device: Device = "auto", watcher: Watcher | None = None
) -> RunResult:
    """Go on with the unfinished run in ``out``: on a CPU to the same bits as if it had never stopped.

    Raises:
        CheckpointError: where ``out`` holds no unfinished run of this data.
        LearningError: where training does not learn.
        Interrupted: where ``watcher`` wants to stop; the run is saved.
    """
    folder, recipe, begun = reopen_run(Path(out))
    if begun["data"] != dataset.name:
        raise CheckpointError(f"{out} was begun on {begun['data']}; it cannot go on with {dataset.name}")
    keep_freed_memory()
    chosen = choose_device(device)
    precision = choose_precision(recipe.precision, chosen)
    plan = course(recipe, dataset, chosen)
    state = initial_state(recipe, fitted_architecture(recipe, dataset), chosen, precision)
    if folder.state.exists():
        load_state(state, folder.state)
    elif recipe.grow_from is not None:
        initialize_from_shallower(state.model, checkpoint.load(recipe.grow_from).model)
    fabric = Fabric(accelerator=chosen.type, devices=1, precision=precision)
    run = _Run(recipe, dataset, plan, folder)
    epochs = _train(run, state, fabric, watcher or Watcher())
    kept = checkpoint.load(folder.model).model.to(chosen) if recipe.keep == "best" else state.trained
    logits = predict_logits(kept, sized(dataset.test, recipe).pixels, plan.preprocess)
    test = evaluation(logits, dataset.test.labels, dataset.classes)
    _save_model(run, kept, {"epochs": state.epoch, "test_top1": test.top1})
    result = RunResult(
        run=folder.path,
        recipe=recipe,
        architecture=kept.architecture,
        epochs=tuple(epochs),
        validation=_validation(kept, plan),
        test=test,
        mistakes=worst_mistakes(logits, dataset.test.labels, dataset.classes),
        machine=describe(chosen, precision),
        started=datetime.fromisoformat(begun["started"]),
        seconds=state.seconds,
    )
    finish(folder)
    return result


@dataclass(frozen=True)
class _Run:
    """What stays the same from the first step to the last."""

    recipe: Recipe
    dataset: Dataset
    course: Course
    folder: RunFolder


def _train(run: _Run, state: TrainingState, fabric: Fabric, watcher: Watcher) -> list[EpochResult]:
    """Run the loop and save after every epoch; the results of all epochs, those of an earlier part too."""
    epochs = read_metrics(run.folder, state.epoch)

    def after_step(state: TrainingState) -> None:
        watcher.stepped(state)
        if watcher.wants_to_stop():
            save_state(state, run.folder.state)
            raise Interrupted(f"stopped and saved in epoch {state.epoch + 1} of {run.course.epochs}")

    watcher.begins(state.model.architecture, run.course, state, run.folder.path)
    for result in fit(state, run.course, fabric, after_step):
        if run.recipe.keep == "best" and _is_best(result, epochs):
            _save_model(run, state.trained, {"epochs": state.epoch, "val_top1": result.val_top1})
        epochs.append(result)
        write_metrics(run.folder, epochs)
        save_state(state, run.folder.state)
        watcher.finished_epoch(result)
    return epochs


def _is_best(result: EpochResult, earlier: list[EpochResult]) -> bool:
    return all((result.val_top1 or 0.0) > (epoch.val_top1 or 0.0) for epoch in earlier)


def _save_model(run: _Run, model: Classifier, measured: dict[str, Any]) -> None:
    origin = {
        "verydeep": version("verydeep"),
        "data": run.dataset.name,
        "recipe": to_toml(run.recipe),
        "seed": run.recipe.seed,
        **measured,
    }
    whole = Checkpoint(model, run.course.preprocess, run.dataset.classes, origin)
    checkpoint.save(whole, run.folder.model)


def _validation(model: Classifier, plan: Course) -> Evaluation | None:
    if plan.val is None:
        return None
    return evaluation(
        predict_logits(model, plan.val.pixels, plan.preprocess), plan.val.labels, plan.val.classes
    )
