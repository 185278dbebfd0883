"""One trial, made and measured: a training in a run folder of its own, or a look at the gradients."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

from lightning_fabric import Fabric
from pydantic import TypeAdapter

from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture
from verydeep.atomic_write import atomic_write
from verydeep.data.images import Dataset
from verydeep.data.normalize import normalize
from verydeep.data.split import stratified_split
from verydeep.errors import LearningError, RecipeError
from verydeep.evaluate.gradient_norms import gradient_norms
from verydeep.study.trial import PROBE_STEPS, LayerGradient, Outcome, Trial
from verydeep.train.device import Device, choose_device, choose_precision
from verydeep.train.loop import fit
from verydeep.train.recipe import Recipe, read_recipe
from verydeep.train.run_folder import RunFolder, read_metrics
from verydeep.train.setup import course, fitted_architecture, initial_state
from verydeep.train.state import TrainingState
from verydeep.train.train import resume, start

IMAGES_SEED = 0
"""Draws the images of every trial: the same ones, so that trials differ in what they are about."""
TEST_SHARE = 0.2
"""Of a set that every trial splits anew."""


@dataclass(frozen=True)
class _Kept:
    """What a finished trial leaves on disk."""

    recipe: Recipe
    outcome: Outcome


_FILE = TypeAdapter(_Kept)


def measure(trial: Trial, dataset: Dataset, folder: Path, device: Device = "auto") -> Outcome:
    """The outcome of ``trial``, made in ``folder`` and kept there; made before, it is read.

    Raises:
        RecipeError: where the folder holds a trial of another recipe.
    """
    if (kept := kept_outcome(trial, folder)) is not None:
        return kept
    recipe, data, began = _recipe(trial, folder), trial_data(trial, dataset), time.perf_counter()
    if trial.kind == "probe":
        outcome = _probe(trial, recipe, data, device)
    else:
        outcome = _train(trial, recipe, data, RunFolder(folder / trial.name), device)
    outcome = replace(outcome, seconds=time.perf_counter() - began)
    with atomic_write(_file(trial, folder)) as temporary:
        temporary.write_bytes(_FILE.dump_json(_Kept(recipe, outcome)))
    return outcome


def kept_outcome(trial: Trial, folder: Path) -> Outcome | None:
    """What an earlier call left of ``trial`` in ``folder``; None where it is not finished.

    Raises:
        RecipeError: where it was made by another recipe.
    """
    file, run = _file(trial, folder), RunFolder(folder / trial.name)
    kept = _FILE.validate_json(file.read_bytes()) if file.exists() else None
    made_by = kept.recipe if kept else read_recipe(str(run.recipe)) if run.is_unfinished else None
    if made_by is not None and made_by != _recipe(trial, folder):
        raise RecipeError(
            f"{run.path} was made by another recipe than this study has now. Give another --out, or remove it"
        )
    return kept.outcome if kept else None


def trial_data(trial: Trial, dataset: Dataset) -> Dataset:
    """What ``trial`` trains and is tested on: its part of the training images, split anew if it says so."""
    train, test, name = dataset.train, dataset.test, dataset.name
    if trial.images is not None and trial.images < len(train):
        _, drawn = stratified_split(train.labels, trial.images / len(train), IMAGES_SEED)
        train, name = train.select(drawn), f"{name}, {len(drawn):,} images"
    if trial.split is not None:
        kept, held_back = stratified_split(train.labels, TEST_SHARE, trial.split)
        train, test, name = train.select(kept), train.select(held_back), f"{name}, split {trial.split}"
    return Dataset(name, train, test)


def _file(trial: Trial, folder: Path) -> Path:
    return folder / trial.name / "outcome.json"


def _recipe(trial: Trial, folder: Path) -> Recipe:
    if trial.grows_from is None:
        return trial.recipe
    return replace(trial.recipe, grow_from=str(folder / trial.grows_from.name))


def _train(trial: Trial, recipe: Recipe, data: Dataset, run: RunFolder, device: Device) -> Outcome:
    outcome = _outcome(trial, fitted_architecture(recipe, data))
    if recipe.grow_from is not None and not RunFolder(Path(recipe.grow_from)).model.exists():
        return replace(outcome, failed="the network it was to grow from did not learn")
    top1, failed = None, None
    try:
        if run.is_unfinished:
            result = resume(data, run.path, device=device)
        else:
            result = start(recipe, data, run.path, device=device)
        top1 = result.test.top1
    except LearningError as error:
        failed = str(error)
    return replace(outcome, test_top1=top1, failed=failed, epochs=tuple(read_metrics(run, recipe.epochs)))


def _probe(trial: Trial, recipe: Recipe, data: Dataset, device: Device) -> Outcome:
    """The gradients of every layer before each of ``PROBE_STEPS``, on one batch that stays the same."""
    chosen = choose_device(device)
    precision = choose_precision(recipe.precision, chosen)
    architecture, plan = fitted_architecture(recipe, data), course(recipe, data, chosen)
    state = initial_state(recipe, architecture, chosen, precision)
    images = normalize(plan.train.pixels[: plan.batch_size], plan.preprocess)
    labels = plan.train.labels[: plan.batch_size]
    looks: list[LayerGradient] = []

    def look(state: TrainingState) -> None:
        if state.step in PROBE_STEPS:
            norms = gradient_norms(state.model, images, labels)
            looks.extend(_gradients(architecture, state.step, norms))

    failed = None
    try:
        look(state)
        for _ in fit(state, plan, Fabric(accelerator=chosen.type, devices=1, precision=precision), look):
            pass
    except LearningError as error:
        failed = str(error)
    return replace(_outcome(trial, architecture), gradients=tuple(looks), failed=failed)


def _gradients(architecture: Architecture, step: int, norms: Sequence[float]) -> list[LayerGradient]:
    return [
        LayerGradient(layer=row.name, place=place, step=step, norm=norm)
        for place, (row, norm) in enumerate(zip(trace(architecture).path, norms, strict=True), start=1)
        if isfinite(norm)
    ]


def _outcome(trial: Trial, architecture: Architecture) -> Outcome:
    """What is known of a trial before it is made."""
    return Outcome(
        name=trial.name,
        group=trial.group,
        variant=trial.variant,
        seed=trial.recipe.seed,
        split=trial.split,
        architecture_string=architecture.string,
        parameters=trace(architecture).totals.parameters,
    )
