"""The step ``scratch``: small networks trained from random weights, at equal total training."""

import re
import time
from dataclasses import replace
from functools import partial
from math import inf

import torch

from verydeep.compress.calibration import Calibration
from verydeep.compress.candidate import Candidate
from verydeep.compress.compression import Compression
from verydeep.compress.contenders import Contender, contenders
from verydeep.compress.steps.fold import fold
from verydeep.data.images import Images
from verydeep.errors import CompressionError, LearningError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.number_format import duration
from verydeep.train.run import Job, TrainingWatcher, fabric_on, run_training


def try_contenders(state: Compression) -> list[Candidate]:
    """Train contenders on the labels, as long as the budget lasts, and keep the best if it beats all others.

    Returns:
        All networks that were measured.
    """
    if state.images.train.labels is None:
        state.on_line("scratch: the images have no labels to train on")
        return []
    kept = state.kept
    narrowed = kept.checkpoint.model.architecture if kept.name in ("narrow", "distill") else None
    chosen = [each for each in contenders(state.original, narrowed) if _may_win(state, each)]
    tried: list[Candidate] = []
    for number, contender in enumerate(chosen):
        try:
            tried.append(state.tried(
                f"scratch {contender.architecture.string} at {contender.size} px",
                partial(_trained, state, contender, len(chosen) - number),
            ))  # fmt: skip
        except (LearningError, _NoTimeLeft) as error:
            state.on_line(f"scratch: {error}")
    state.keep_best(tried)
    return tried


def _may_win(state: Compression, contender: Contender) -> bool:
    """Whether it would meet the limit of latency, or be cheaper than what is kept, whatever its accuracy."""
    limit, kept = state.settings.limit, state.kept.measured
    folded = _untrained(
        state.original, replace(contender, architecture=contender.architecture.with_norm("none"))
    )
    if limit.kind == "bytes":
        return state.size(folded) <= limit.value
    latency = state.judge.latency(folded)
    if limit.kind == "latency":
        return latency.ms <= limit.value
    return latency.ms / latency.original_ms < kept.latency_ms / kept.original_ms


def _untrained(original: Checkpoint, contender: Contender) -> Checkpoint:
    """The network with random weights, and what else a checkpoint has from ``original``."""
    torch.manual_seed(contender.recipe.seed)
    return replace(
        original,
        model=build(contender.architecture, contender.recipe.init).eval(),
        preprocess=replace(original.preprocess, size=contender.size),
    )


def _trained(state: Compression, contender: Contender, left: int) -> Candidate:
    """The network of ``contender`` after its share of the budget, with ``left`` of them to train.

    Raises:
        LearningError: where it does not learn.
    """
    seconds = state.seconds_to("scratch") / left
    if seconds <= 0:
        raise _NoTimeLeft(f"--budget is spent before {contender.architecture.string}")
    start = _untrained(state.original, contender)
    epochs = contender.recipe.planned_epochs(len(state.images.train))
    within = "" if seconds == inf else f", at most {duration(seconds)}"
    state.on_line(f"scratch: {contender.architecture.string} at {contender.size} px, {epochs} epochs{within}")
    name = "contender-" + re.sub(r"\W+", "-", f"{contender.size} {contender.architecture.string}")
    job = Job(
        name="scratch",
        recipe=contender.recipe,
        network=start,
        train=_training_images(state, start),
        val=None,
        state=state.journal.folder / f"{name}.pt",
        metrics=state.journal.folder / f"{name}.jsonl",
    )
    fabric = fabric_on(torch.device("cpu"), contender.recipe.precision)
    trained = run_training(job, fabric, TrainingWatcher(), deadline=time.perf_counter() + seconds)
    done = f"{contender.size} px, {len(trained.epochs)} epochs from random weights"
    return state.judged("scratch", _folded(trained.network, state.calibration_of(start)), done)


def _training_images(state: Compression, network: Checkpoint) -> Images:
    train = state.images.train.at_input_of(network.preprocess)
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
