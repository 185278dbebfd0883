"""The step ``scratch``: small networks trained from random weights, at equal total training."""

import time
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path

import torch

from verydeep.compress.calibration import Calibration
from verydeep.compress.candidate import Candidate
from verydeep.compress.compression import Compression
from verydeep.compress.contenders import Contender, contenders
from verydeep.compress.origin import is_balanced
from verydeep.compress.steps.fold import fold
from verydeep.data.images import Images
from verydeep.errors import CompressionError, LearningError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.number_format import duration
from verydeep.train.divergence import NO_FLAGS
from verydeep.train.recipe import to_toml
from verydeep.train.run import Job, TrainingWatcher, fabric_on, run_training
from verydeep.train.run_folder import read_metrics

OF_TRAINING = ("recipe", "seed", "strategy", "weights")
"""What the origin tells of the training of the original."""


def try_contenders(state: Compression) -> list[Candidate]:
    """Train contenders on the labels, as long as the budget lasts, and keep the best if it beats all others.

    Returns:
        All networks that were measured.
    """
    if state.images.train.labels is None:
        state.on_line("scratch: the images have no labels to train on")
        return []
    kept = state.kept
    narrowed = state.network.model.architecture if kept.name in ("narrow", "distill") else None
    found = {each.name: each for each in contenders(state.original, narrowed, state.settings.seed)}
    names = state.journal.contenders(lambda: [name for name, each in found.items() if _may_win(state, each)])
    chosen = [found[name] for name in names]
    tried: list[Candidate] = []
    for number, contender in enumerate(chosen):
        if contender.name in state.journal.content.failed:
            state.on_line(f"scratch: {contender.name} was tried before, without a network")
            continue
        began, spent = time.perf_counter(), _spent(state, number)
        try:
            tried.append(state.tried(
                f"scratch {contender.name}",
                partial(_trained, state, contender, number, len(chosen) - number, spent),
                earlier_seconds=spent,
            ))  # fmt: skip
        except (LearningError, _NoTimeLeft) as error:
            state.on_line(f"scratch: {error}")
            state.journal.fail(contender.name, spent + time.perf_counter() - began)
    state.keep_best(tried)
    return tried


def _may_win(state: Compression, contender: Contender) -> bool:
    """Whether it would reach the limit, or be faster than what is kept, whatever its accuracy."""
    limit, kept = state.settings.limit, state.kept.measured
    folded = _untrained(
        state.original, replace(contender, architecture=contender.architecture.with_norm("none"))
    )
    if limit.kind == "drop" and folded.model.architecture == state.network.model.architecture:
        return False  # the same network is as fast, whatever the clock says
    if limit.kind == "bytes":
        return state.size(folded) <= limit.value
    latency = state.judge.latency(folded)
    if limit.kind == "latency":
        return latency.ms <= limit.value
    return latency.ms / latency.original_ms < kept.latency_ms / kept.original_ms


def _untrained(original: Checkpoint, contender: Contender) -> Checkpoint:
    """The network with random weights, and what else a checkpoint has from ``original``."""
    torch.manual_seed(contender.recipe.seed)
    model = build(contender.architecture, contender.recipe.init).eval()
    preprocess = original.preprocess.for_input(original.preprocess.channels, contender.size)
    if contender.size != original.preprocess.size:
        preprocess = replace(preprocess, resize=None)
    origin = {key: value for key, value in original.origin.items() if key not in OF_TRAINING}
    origin |= {"recipe": to_toml(contender.recipe), "seed": contender.recipe.seed}
    if is_balanced(original):
        origin["strategy"] = "scratch"
    return replace(original, model=model, preprocess=preprocess, origin=origin)


def _trained(state: Compression, contender: Contender, number: int, left: int, spent: float) -> Candidate:
    """The network of ``contender``, which has this number, after its share of the budget.

    Of all contenders ``left`` are to be trained; earlier processes have ``spent`` so many seconds on this.

    Raises:
        LearningError: where it does not learn.
        _NoTimeLeft: where the budget is spent.
    """
    seconds = state.seconds_to("scratch") / left
    if seconds <= 0:
        raise _NoTimeLeft(f"--budget is spent before {contender.name}")
    seconds = max(0.0, seconds - spent)
    start = _untrained(state.original, contender)
    epochs = contender.recipe.planned_epochs(len(state.images.train))
    within = "" if seconds == inf else f", at most {duration(seconds)}"
    state.on_line(f"scratch: {contender.name}, {epochs} epochs{within}")
    most_slices = max(1, min(contender.recipe.batch_size, len(state.images.train)) // 2)
    job = Job(
        name="scratch",
        recipe=replace(contender.recipe, slices=min(contender.recipe.slices, most_slices)),
        network=start,
        train=_training_images(state, start),
        val=None,
        state=_file(state, number, "pt"),
        metrics=_file(state, number, "jsonl"),
        flags=NO_FLAGS,
    )
    fabric = fabric_on(torch.device("cpu"), contender.recipe.precision)
    trained = run_training(job, fabric, TrainingWatcher(), deadline=time.perf_counter() + seconds)
    done = f"{contender.size} px, {len(trained.epochs)} epochs from random weights"
    return state.judged("scratch", _folded(trained.network, state.calibration_of(start)), done)


def _file(state: Compression, number: int, suffix: str) -> Path:
    """By its number, as the string of an architecture may be longer than names of files."""
    return state.journal.folder / f"scratch-{number}.{suffix}"


def _spent(state: Compression, number: int) -> float:
    """The seconds of this contender's epochs in earlier processes, that were stopped while it was trained."""
    before = read_metrics(_file(state, number, "jsonl"))
    return before[-1].seconds if before else 0.0


def _training_images(state: Compression, network: Checkpoint) -> Images:
    train = state.train_images(network)
    assert train.labels is not None
    return Images(train.pixels, train.labels, network.classes)


def _folded(network: Checkpoint, calibration: Calibration) -> Checkpoint:
    """With its norms folded, where that is exact."""
    try:
        return fold(network, calibration).checkpoint
    except CompressionError:
        return network


class _NoTimeLeft(Exception):
    """The budget is spent."""
