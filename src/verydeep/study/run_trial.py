"""Runs one trial: training in its own run folder, a measurement of gradients, or a compression."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path

from pydantic import TypeAdapter

from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture
from verydeep.atomic_write import atomic_write
from verydeep.compress.image_part import spread
from verydeep.data.images import Dataset
from verydeep.data.normalize import normalize
from verydeep.errors import InUseError, LearningError, RecipeError
from verydeep.evaluate.gradient_norms import gradient_norms
from verydeep.foreign_text import error_text
from verydeep.machine import Device
from verydeep.study.accuracy import top1
from verydeep.study.run_compression import compress
from verydeep.study.trial import MEASURED, PROBE_STEPS, LayerGradient, Outcome, Trial
from verydeep.study.trial_data import data_name, trial_data
from verydeep.train.device import choose_device
from verydeep.train.loop import fit
from verydeep.train.prepare import prepare, with_validation
from verydeep.train.recipe import Recipe
from verydeep.train.result.train_result import TrainResult
from verydeep.train.run import fabric_on, training_inputs
from verydeep.train.run_folder import RunFolder, read_metrics
from verydeep.train.start.new_network import fitted_architecture, new_network
from verydeep.train.state import TrainingState, initial_state
from verydeep.train.train import resume_training, train_network, unfinished_recipe
from verydeep.train.unfinished_run import claimed_run, finish
from verydeep.weight_files.checkpoint_description import checkpoint_path
from verydeep.weight_files.checkpoint_file import load


@dataclass(frozen=True)
class _FinishedTrial:
    """The content of ``outcome.json``."""

    recipe: Recipe
    outcome: Outcome
    data: str
    """The name of its images (``data_name``)."""


_FILE = TypeAdapter(_FinishedTrial)


def run_trial(trial: Trial, dataset: Dataset, folder: Path, device: Device = "auto") -> Outcome:
    """The outcome of ``trial``, saved in ``folder``; if it is there already, it is only read.

    Raises:
        RecipeError: where the folder has a trial with another recipe or other images.
    """
    if (saved := saved_outcome(trial, dataset.name, folder)) is not None:
        finish_trial(trial, folder)
        return saved
    recipe, start_time = _recipe(trial, folder), time.perf_counter()
    data = trial_data(trial, dataset).resized(recipe.size)

    def keep(outcome: Outcome) -> Outcome:
        seconds = max(outcome.seconds, time.perf_counter() - start_time)
        outcome = replace(outcome, seconds=seconds)
        with atomic_write(_file(trial, folder)) as temporary:
            # Not dump_json, which refuses what stands for bytes that are not UTF-8 in the names of folders.
            temporary.write_text(json.dumps(asdict(_FinishedTrial(recipe, outcome, data.name))), "utf-8")
        return outcome

    if trial.kind == "probe":
        return keep(_probe(trial, recipe, data, device))
    if trial.kind == "compression":
        return keep(_compress(trial, data, folder, device))
    return _train(trial, recipe, data, folder, device, keep)


def saved_outcome(trial: Trial, dataset: str, folder: Path) -> Outcome | None:
    """The outcome of ``trial`` on ``dataset`` from an earlier call; None if the trial is not finished.

    Raises:
        RecipeError: where the trial in ``folder`` has another recipe or other images.
    """
    file, run = _file(trial, folder), RunFolder(folder / trial.name)
    saved = _read(file) if file.exists() else None
    recipe = saved.recipe if saved else unfinished_recipe(run.path) if run.is_unfinished else None
    if recipe is not None and _comparable(recipe, trial) != _comparable(_recipe(trial, folder), trial):
        raise RecipeError(
            f"{run.path} was trained with another recipe than that of this study. Give another --out, or "
            "delete it"
        )
    if saved is not None and saved.data != (expected := data_name(trial, dataset)):
        raise RecipeError(
            f"{run.path} was trained on other images ({saved.data}) than those of this study ({expected}). "
            "Give another --out, or delete it"
        )
    return saved.outcome if saved else None


def finish_trial(trial: Trial, folder: Path) -> None:
    """Finish the run of ``trial``, which was stopped just after its outcome was written, or did not learn."""
    run = folder / trial.name
    if RunFolder(run).is_unfinished:
        with suppress(InUseError), claimed_run(run) as claimed:  # another process is about to finish it
            finish(claimed)


def _read(file: Path) -> _FinishedTrial:
    """The finished trial in ``file``.

    Raises:
        RecipeError: where the file is damaged.
    """
    try:
        return _FILE.validate_python(json.loads(file.read_bytes()))
    except ValueError as error:
        raise RecipeError(
            f"{file} is damaged: {error_text(error)}. Delete its folder; the same command runs this "
            "trial again"
        ) from None


def _file(trial: Trial, folder: Path) -> Path:
    return folder / trial.name / "outcome.json"


def _recipe(trial: Trial, folder: Path) -> Recipe:
    if trial.initialized_from is None or trial.kind == "compression":
        return trial.recipe
    source = str(folder / trial.initialized_from.name)
    if trial.kind == "fine-tuning":  # the weights decide the network
        return replace(trial.recipe, weights=source, model=None, norm=None)
    return replace(trial.recipe, grow_from=source)


def _comparable(recipe: Recipe, trial: Trial) -> Recipe:
    """``recipe`` without the path of the run that initializes ``trial``: the study may be moved."""
    return recipe if trial.initialized_from is None else replace(recipe, weights=None, grow_from=None)


def _train(
    trial: Trial,
    recipe: Recipe,
    data: Dataset,
    folder: Path,
    device: Device,
    keep: Callable[[Outcome], Outcome],
) -> Outcome:
    """The outcome, which ``keep`` writes while the run is still unfinished: a stop in between loses none."""
    run = RunFolder(folder / trial.name)
    if (
        trial.initialized_from is not None
        and not RunFolder(folder / trial.initialized_from.name).model.exists()
    ):
        unfinished = _empty_outcome(trial, fitted_architecture(trial.recipe, data))
        return keep(replace(unfinished, failed="the network that initializes it did not learn"))
    train, kept = with_validation(data, recipe).train, list[Outcome]()

    def report(result: TrainResult) -> None:
        outcome = replace(
            _empty_outcome(trial, result.architecture),
            test_top1=result.test.top1,
            train_top1=top1(load(run.path), train.select(spread(len(train), MEASURED))),
            train_images=len(train),
            epochs=result.epochs,
            seconds=result.seconds,  # with those before an interruption
        )
        kept.append(keep(outcome))

    try:
        if run.is_unfinished:
            resume_training(data, run.path, device=device, report=report)
        else:
            train_network(recipe, data, run.path, device=device, report=report)
    except LearningError as error:
        unfinished = _empty_outcome(trial, prepare(recipe, data).network.model.architecture)
        failed = keep(replace(unfinished, failed=str(error), epochs=tuple(read_metrics(run.metrics))))
        finish_trial(trial, folder)
        return failed
    return kept[0]


def _compress(trial: Trial, data: Dataset, folder: Path, device: Device) -> Outcome:
    assert trial.initialized_from is not None
    source, data = folder / trial.initialized_from.name, with_validation(data, trial.recipe)
    unfinished = _empty_outcome(trial, fitted_architecture(trial.recipe, data))
    if not checkpoint_path(source).exists():
        return replace(unfinished, failed="the network to compress did not learn")
    try:
        result = compress(load(source), trial.steps, trial.recipe, data, folder / trial.name, device)
    except LearningError as error:
        return replace(unfinished, failed=str(error))
    return replace(
        _empty_outcome(trial, result.network.model.architecture),
        test_top1=result.test_top1,
        epochs=result.epochs,
        compressed=result.measured,
    )


def _probe(trial: Trial, recipe: Recipe, data: Dataset, device: Device) -> Outcome:
    """The gradients of every layer before each of ``PROBE_STEPS``, always on the same batch."""
    fabric = fabric_on(choose_device(device), recipe.precision)
    network, train = new_network(recipe, data), data.train.to(fabric.device)
    architecture = network.model.architecture
    state = initial_state(recipe, network.model, len(train), fabric)
    images = normalize(train.pixels[: recipe.batch_size], network.preprocess)
    labels = train.labels[: recipe.batch_size]
    gradients: list[LayerGradient] = []

    def measure(state: TrainingState) -> None:
        if state.step in PROBE_STEPS:
            norms = gradient_norms(state.model, images, labels)
            gradients.extend(_finite_gradients(architecture, state.step, norms))

    failed = None
    try:
        measure(state)
        with training_inputs(recipe, state, network.preprocess, train, None, fabric) as inputs:
            for _ in fit(state, recipe, inputs, fabric, measure):
                pass
    except LearningError as error:
        failed = str(error)
    return replace(_empty_outcome(trial, architecture), gradients=tuple(gradients), failed=failed)


def _finite_gradients(architecture: Architecture, step: int, norms: Sequence[float]) -> list[LayerGradient]:
    return [
        LayerGradient(layer=row.name, number=number, step=step, norm=norm)
        for number, (row, norm) in enumerate(zip(trace(architecture).path, norms, strict=True), start=1)
        if isfinite(norm)
    ]


def _empty_outcome(trial: Trial, architecture: Architecture) -> Outcome:
    """The outcome without results."""
    return Outcome(
        name=trial.name,
        group=trial.group,
        variant=trial.variant,
        seed=trial.recipe.seed,
        split=trial.split,
        architecture_string=architecture.string,
        parameters=trace(architecture).totals.parameters,
        classes=architecture.classes,
    )
