"""Runs one trial: training in its own run folder, a measurement of gradients, or a compression."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

from pydantic import TypeAdapter

from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture
from verydeep.atomic_write import atomic_write
from verydeep.data.images import Dataset
from verydeep.data.normalize import normalize
from verydeep.data.split import stratified_split
from verydeep.errors import LearningError, RecipeError
from verydeep.evaluate.gradient_norms import gradient_norms
from verydeep.machine import Device
from verydeep.study.run_compression import compress
from verydeep.study.trial import PROBE_STEPS, LayerGradient, Outcome, Trial
from verydeep.train.device import choose_device
from verydeep.train.loop import fit
from verydeep.train.prepare import with_validation
from verydeep.train.recipe import Recipe
from verydeep.train.run import fabric_on, training_inputs
from verydeep.train.run_folder import RunFolder, read_metrics
from verydeep.train.start.new_network import fitted_architecture, new_network
from verydeep.train.state import TrainingState, initial_state
from verydeep.train.train import resume_training, train_network, unfinished_recipe
from verydeep.weight_files.checkpoint_file import checkpoint_path, load

IMAGES_SEED = 0
"""The seed that selects the images: the same images in every trial."""
TEST_SHARE = 0.2
"""The share of test images in a split."""


@dataclass(frozen=True)
class _FinishedTrial:
    """The content of ``outcome.json``."""

    recipe: Recipe
    outcome: Outcome


_FILE = TypeAdapter(_FinishedTrial)


def run_trial(trial: Trial, dataset: Dataset, folder: Path, device: Device = "auto") -> Outcome:
    """The outcome of ``trial``, saved in ``folder``; if it is there already, it is only read.

    Raises:
        RecipeError: where the folder has a trial with another recipe.
    """
    if (saved := saved_outcome(trial, folder)) is not None:
        return saved
    recipe, start_time = _recipe(trial, folder), time.perf_counter()
    data = trial_data(trial, dataset).resized(recipe.size)
    if trial.kind == "probe":
        outcome = _probe(trial, recipe, data, device)
    elif trial.kind == "compression":
        outcome = _compress(trial, data, folder, device)
    else:
        outcome = _train(trial, recipe, data, RunFolder(folder / trial.name), device)
    outcome = replace(outcome, seconds=time.perf_counter() - start_time)
    with atomic_write(_file(trial, folder)) as temporary:
        temporary.write_bytes(_FILE.dump_json(_FinishedTrial(recipe, outcome)))
    return outcome


def saved_outcome(trial: Trial, folder: Path) -> Outcome | None:
    """The outcome of ``trial`` from an earlier call; None if the trial is not finished.

    Raises:
        RecipeError: where the trial in ``folder`` has another recipe.
    """
    file, run = _file(trial, folder), RunFolder(folder / trial.name)
    saved = _FILE.validate_json(file.read_bytes()) if file.exists() else None
    recipe = saved.recipe if saved else unfinished_recipe(run.path) if run.is_unfinished else None
    if recipe is not None and recipe != _recipe(trial, folder):
        raise RecipeError(
            f"{run.path} was trained with another recipe than that of this study. Give another --out, or "
            "delete it"
        )
    return saved.outcome if saved else None


def trial_data(trial: Trial, dataset: Dataset) -> Dataset:
    """The training and test images of ``trial``: a subset of the data, with its own split if it has one."""
    train, test, name = dataset.train, dataset.test, dataset.name
    if trial.images is not None and trial.images < len(train):
        _, subset = stratified_split(train.labels, trial.images / len(train), IMAGES_SEED)
        train, name = train.select(subset), f"{name}, {len(subset):,} images"
    if trial.split is not None:
        kept, held_out = stratified_split(train.labels, TEST_SHARE, trial.split)
        train, test, name = train.select(kept), train.select(held_out), f"{name}, split {trial.split}"
    return Dataset(name, train, test)


def _file(trial: Trial, folder: Path) -> Path:
    return folder / trial.name / "outcome.json"


def _recipe(trial: Trial, folder: Path) -> Recipe:
    if trial.initialized_from is None or trial.kind == "compression":
        return trial.recipe
    return replace(trial.recipe, grow_from=str(folder / trial.initialized_from.name))


def _train(trial: Trial, recipe: Recipe, data: Dataset, run: RunFolder, device: Device) -> Outcome:
    outcome = _empty_outcome(trial, fitted_architecture(recipe, data))
    if recipe.grow_from is not None and not RunFolder(Path(recipe.grow_from)).model.exists():
        return replace(outcome, failed="the shallower network for its initialization did not learn")
    top1, failed = None, None
    try:
        if run.is_unfinished:
            result = resume_training(data, run.path, device=device)
        else:
            result = train_network(recipe, data, run.path, device=device)
        top1 = result.test.top1
    except LearningError as error:
        failed = str(error)
    return replace(outcome, test_top1=top1, failed=failed, epochs=tuple(read_metrics(run.metrics)))


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
    )
