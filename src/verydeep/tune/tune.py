"""A tuning from a folder to a run folder: look once, learn a head, go deeper where that pays, say why."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from jaxtyping import Float32
from torch import Tensor

from verydeep.data.samples import Samples
from verydeep.data.split_file import indices_of, write_split
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.device import Device, describe
from verydeep.train.run_folder import RunFolder, new_tuning, write_settings
from verydeep.tune.backbone import with_head
from verydeep.tune.data_quality import diagnosis
from verydeep.tune.head_position import best_end, ends_of, extract_for
from verydeep.tune.linear_probe import LearntHead, learn_head
from verydeep.tune.prepare import (
    Seen,
    Task,
    TuneWatcher,
    balance_words,
    begin,
    look,
    open_all,
    part_sizes,
    remedy_for,
)
from verydeep.tune.result import Candidate, MistakenImage, TuneResult, TuneSettings
from verydeep.tune.strategies import Trials, Tried, on_test, try_ways
from verydeep.tune.warnings import advice
from verydeep.weights import checkpoint_file as checkpoint

__all__ = ["TuneWatcher", "tune"]


def tune(
    settings: TuneSettings,
    out: Path | str,
    *,
    device: Device = "auto",
    watcher: TuneWatcher | None = None,
    cache: Path | None = None,
) -> TuneResult:
    """Tune the network of ``settings`` to its folder of images, into the new run folder ``out``.

    As soon as there is a head the run folder holds it: an interruption of what comes later keeps it.

    Args:
        settings: what to tune to what.
        out: where model.safetensors, tune.toml and split.csv are written.
        device: where to compute.
        watcher: what follows.
        cache: where features are kept; in the user's cache by default.

    Raises:
        DataError: where the folder cannot be used: no images, too few to test on, too many broken ones.
        CheckpointError: where the weights cannot be used.
        RecipeError: where ``out`` is taken, or the machine has no such device.
        LearningError: where training the network itself does not learn.
    """
    started, began = datetime.now(UTC), time.perf_counter()
    folder = new_tuning(Path(out))
    task = begin(settings, device, watcher or TuneWatcher())
    if settings.way == "from-scratch":
        job = _Job(task, open_all(task), folder, started, began, "at the end of the network, which is new")
        learned = frozen = None
    else:
        ends = ends_of(task.network, whole=settings.head != "auto")
        seen = look(task, extract_for(ends), cache)
        end, learned, reason = best_end(ends, lambda end: _learn(task, seen.at(end.columns)))
        task = replace(task, network=end.network)
        job = _Job(task, seen.at(end.columns), folder, started, began, reason)
        frozen = _frozen(job, learned)
        _save(job, frozen)
    trials = try_ways(task, job.seen, learned, frozen, began)
    network = _save(job, trials.chosen)
    result = _result(job, learned, trials, network)
    return replace(result, advice=advice(result))


@dataclass(frozen=True)
class _Job:
    """What a run is made of from its beginning to its end."""

    task: Task
    seen: Seen
    folder: RunFolder
    started: datetime
    began: float
    head_reason: str


def _learn(task: Task, seen: Seen) -> LearntHead:
    """The head, from all images that are not for the test."""
    features, samples = seen.part("train", "val")
    remedy = remedy_for(samples, task.settings)
    return learn_head(
        features, samples.labels, samples.groups, samples.classes, remedy, task.settings.seed,
        task.watcher.validated,
    )  # fmt: skip


def _frozen(job: _Job, learned: LearntHead) -> Tried:
    candidate = Candidate(
        way="frozen",
        validation=learned.validation.score,
        test=None,
        seconds=learned.validation.seconds,
        forecast_seconds=None,
        epochs=(),
        best_epoch=None,
        note="a head on the network as it is",
    )
    job.task.watcher.tried(candidate)
    temperature = learned.validation.temperature
    return Tried(
        candidate=candidate,
        network=with_head(job.task.network, learned.head, job.seen.samples.classes),
        temperature=temperature,
        val=None,
        test=learned.head(job.seen.part("test")[0]),
    )


def _save(job: _Job, tried: Tried) -> Checkpoint:
    """Write the run folder with this network, and give the network as it was saved."""
    settings = job.task.settings
    origin = tried.network.origin | {
        "verydeep": version("verydeep"),
        "data": job.task.samples.name,
        "tune": settings.values(),
        "way": tried.candidate.way,
        "seed": settings.seed,
        "temperature": tried.temperature,
    }
    network = replace(tried.network, origin=origin)
    checkpoint.save(network, job.folder.model)
    write_settings(job.folder, settings.values())
    write_split(job.task.samples, job.folder.split)
    return network


def _result(job: _Job, learned: LearntHead | None, trials: Trials, network: Checkpoint) -> TuneResult:
    task, seen, way = job.task, job.seen, trials.chosen.candidate.way
    places = indices_of(seen.samples, "test")
    test, pool = seen.samples.select(places), seen.samples.select(indices_of(seen.samples, "train", "val"))
    logits = {
        each.candidate.way: on_test(each, seen)
        for each in trials.tried
        if each is trials.chosen or task.settings.way == "compare"
    }
    scores = {name: score(said, test.labels, test.groups, test.classes) for name, said in logits.items()}
    temperature = trials.chosen.temperature
    tried = [replace(each.candidate, test=scores.get(each.candidate.way)) for each in trials.tried]
    return TuneResult(
        run=job.folder.path,
        settings=task.settings,
        architecture=network.model.architecture,
        preprocess=network.preprocess,
        origin=network.origin,
        reading=seen.reading,
        parts=part_sizes(seen.samples),
        size_reason=task.size_reason,
        head_reason=job.head_reason,
        balance=balance_words(pool, task.settings),
        features=seen.cost,
        validation=None if learned is None else learned.validation,
        candidates=(*tried, *trials.left),
        chosen=way,
        why=trials.why,
        test=evaluation(logits[way], test.labels, test.classes),
        test_score=scores[way],
        reliability=reliability(logits[way], test.labels),
        scaled=scaled(logits[way], test.labels, temperature),
        findings=diagnosis(task, seen.samples),
        mistakes=_mistakes(logits[way] / temperature, test),
        advice=(),
        machine=describe(task.device, "32-true"),
        started=job.started,
        seconds=time.perf_counter() - job.began,
    )


def _mistakes(logits: Float32[Tensor, "test classes"], test: Samples) -> tuple[MistakenImage, ...]:
    return tuple(
        MistakenImage(
            name=test.names[mistake.index],
            source=test.sources[mistake.index],
            label=mistake.label,
            predicted=mistake.predicted,
            confidence=mistake.confidence,
        )
        for mistake in worst_mistakes(logits, test.labels, test.classes)
    )
