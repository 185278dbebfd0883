"""`verydeep tune`: from a folder of images to a saved classifier, in the order in which a reader would do it.

    prepare          images with their split, the pretrained network        prepare.py features         the
    frozen network runs over all images                features.py, feature_cache.py linear probe     its L2
    strength and the head position are found        linear_probe.py, head_position.py strategies
    fine-tuning where it pays; the choice                  strategies.py, budget.py, fine_tune.py measure
    once on the test images; warnings                      here, warnings.py

Every decision goes into the configuration, which is saved at the end: given back, it repeats the run.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jaxtyping import Float32
from torch import Tensor

from verydeep.atomic_write import require_room, write_text
from verydeep.data.label_file import LabelRow, write_label_file
from verydeep.data.split_file import indices_of, keep_split
from verydeep.evaluate.doubtful_labels import doubtful_labels
from verydeep.evaluate.evaluation import evaluate_logits
from verydeep.evaluate.metrics import most_confident_mistakes
from verydeep.image_sources.samples import Samples
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.device import Device, describe
from verydeep.train.pretrained import with_last_layer
from verydeep.train.run_folder import RunFolder
from verydeep.train.unfinished_run import (
    Start,
    begin,
    claimed_run,
    finish,
    require_empty,
    require_same,
    require_unfinished,
)
from verydeep.tune.config import NO_LIMIT, TuneConfig, parse_tune_config, tune_toml
from verydeep.tune.data_quality import data_quality
from verydeep.tune.features import ReadImages, TooSlowError, decode_images, extract_features
from verydeep.tune.head_position import HeadPosition, best_position, head_positions
from verydeep.tune.linear_probe import LinearProbe, fit_linear_probe
from verydeep.tune.prepare import (
    Task,
    TuneWatcher,
    balance_method,
    balance_text,
    part_sizes,
    prepare,
    resized,
)
from verydeep.tune.result import L2Point, MistakenImage, StrategyResult, TuneResult
from verydeep.tune.strategies import Candidate, Choice, logits_of_test, run_strategies
from verydeep.tune.warnings import warnings
from verydeep.weight_files.checkpoint_file import save

Report = Callable[[TuneResult], None]
"""Writes the report of a run, which is finished after that."""


def tune_network(
    location: str,
    config: TuneConfig,
    out: Path | str,
    *,
    device: Device = "auto",
    watcher: TuneWatcher | None = None,
    cache: Path | None = None,
    report: Report = lambda result: None,
) -> TuneResult:
    """Make a classifier of the images at ``location`` by ``config``, into the run folder ``out``.

    As soon as there is a linear probe the run folder holds it, and it can be used while training goes on.
    Where ``out`` holds an unfinished run of the same configuration on the same images, that run is resumed.

    Args:
        location: a folder with a folder for each class, a list, or shards (``image_sources/open_images.py``).
        config: what is asked for, such as ``TuneConfig(weights="vgg16")`` or
            ``read_tune_config("tune.toml")``.
        out: the run folder.
        device: where to compute; auto uses a GPU where there is one.
        watcher: what follows the run.
        cache: where features are kept; in the user's cache by default.
        report: called with the result; the run is unfinished until it returns.

    Raises:
        DataError: where the images cannot be used: none, too few to test on, too many unreadable ones.
        CheckpointError: where the weights cannot be used, or ``out`` holds an unfinished run on other images.
        RecipeError: where ``out`` is not empty, or holds an unfinished run of another configuration, or the
            machine has no such device.
        InUseError: where another process writes to ``out``.
        LearningError: where training the network does not learn.
        Interrupted: where ``watcher`` wants to stop; features are kept, and once there is a probe the run
        too.
        OSError: where ``out`` cannot be written to, or the disk is full.
    """
    began = time.perf_counter()
    start, watcher = new_start(config, location), watcher or TuneWatcher()
    with claimed_run(Path(out)) as folder:
        if folder.is_unfinished:
            require_same(folder.path, start)
            return _resume(folder, device, watcher, cache, report, began)
        require_empty(folder)
        task = prepare(location, config, device, watcher)
        require_room(folder.path, sum(each.nbytes for each in task.network.model.state_dict().values()))
        probed = replace(_probe(task, cache, began), asked=config)
        begin(folder, _with_decisions(start, probed.task))
        return _finish(probed, folder, start, began, report)


def resume_tuning(
    location: str,
    out: Path | str,
    *,
    device: Device = "auto",
    watcher: TuneWatcher | None = None,
    cache: Path | None = None,
    report: Report = lambda result: None,
) -> TuneResult:
    """Resume the unfinished run in ``out``: on a CPU to the same bits as if it had never stopped.

    Training that was under way continues from its last step, and the plan for it stays, whatever the clock
    says.

    Raises:
        CheckpointError: where ``out`` holds no unfinished tuning of these images.
        DataError, InUseError, LearningError, Interrupted: as ``tune_network``.
    """
    began = time.perf_counter()
    start = require_unfinished(Path(out), "tune")
    require_same(Path(out), replace(start, data=location))
    with claimed_run(Path(out)) as folder:
        return _resume(folder, device, watcher or TuneWatcher(), cache, report, began)


def new_start(config: TuneConfig, location: str) -> Start:
    """What a tuning by ``config`` on the images at ``location`` is started with, now."""
    return Start(job="tune", data=location, config=tune_toml(config), started=datetime.now(UTC).isoformat())


def unfinished_config(run: Path, changes: Mapping[str, Any] | None = None) -> TuneConfig:
    """What was asked of the unfinished tuning in ``run``, with ``changes`` such as ``{"seed": 1}``.

    Raises:
        CheckpointError: where there is no unfinished tuning.
        RecipeError: naming what is wrong with the changes.
    """
    return parse_tune_config(require_unfinished(run, "tune").config, str(RunFolder(run).tune), changes)


def _resume(
    folder: RunFolder,
    device: Device,
    watcher: TuneWatcher,
    cache: Path | None,
    report: Report,
    began: float,
) -> TuneResult:
    start = require_unfinished(folder.path, "tune")
    asked = unfinished_config(folder.path)
    config = replace(asked, weights=start.weights or asked.weights, size=start.size or asked.size)
    task = prepare(start.data, config, device, watcher)
    task = replace(task, size_reason=start.size_reason or task.size_reason)
    keep_split(task.samples, folder.split)
    probed = replace(_probe(task, cache, began), asked=asked)
    return _finish(probed, folder, start, began, report)


def _with_decisions(start: Start, task: Task) -> Start:
    size = task.network.preprocess.size
    return replace(start, weights=task.config.weights, size=size, size_reason=task.size_reason)


@dataclass(frozen=True, kw_only=True)
class _Probed:
    """The images and the network at its head position, with the linear probe where there is one."""

    asked: TuneConfig
    task: Task
    """Its configuration holds what was decided so far: balance, head position, L2 strength."""
    read: ReadImages
    probe: LinearProbe | None
    head_reason: str


def _probe(task: Task, cache: Path | None, began: float) -> _Probed:
    config = task.config
    if config.strategy == "scratch":
        head = "gap" if config.head == "auto" else config.head
        (position,), _ = head_positions(task.network, head)
        read, probe, reason = decode_images(task), None, f"after {position.layer}, the end of the network"
    else:
        task, positions, everything = _extract(task, cache, began)

        def fit(position: HeadPosition) -> LinearProbe:
            return _fit(task, everything.with_columns(position.columns))

        position, probe, reason = best_position(positions, fit)
        read = everything.with_columns(position.columns)
    decided = replace(
        config,
        head="whole" if config.head == "whole" else position.layer,
        size=task.network.preprocess.size,
        balance=balance_method(_pool(read), config),
        l2=None if probe is None else probe.validation.l2,
    )
    task = replace(task, config=decided, network=position.network)
    return _Probed(asked=config, task=task, read=read, probe=probe, head_reason=reason)


def _extract(
    task: Task, cache: Path | None, began: float
) -> tuple[Task, tuple[HeadPosition, ...], ReadImages]:
    """The features at all positions of the head, at an image size that the budget allows."""
    while True:
        positions, extract = head_positions(task.network, task.config.head)
        try:
            return task, positions, extract_features(task, extract, cache, time.perf_counter() - began)
        except TooSlowError as slow:
            size, reason = slow.forecast.smaller_size, slow.forecast.smaller_size_reason
            assert size is not None
            task = resized(task, size, reason)
            task.watcher.resizes(reason)


def _pool(read: ReadImages) -> Samples:
    """All images but those of the test."""
    return read.samples.select(indices_of(read.samples, "train", "val"))


def _fit(task: Task, read: ReadImages) -> LinearProbe:
    """The linear probe on all images but those of the test."""
    features, samples = read.part("train", "val")
    config = task.config

    def cross_validated(point: L2Point) -> None:
        task.watcher.cross_validated(point)
        task.watcher.stop_if_wanted("stopped in cross-validation; the features of all images are kept")

    return fit_linear_probe(
        features, samples.labels, samples.groups, samples.classes, balance_method(samples, config),
        config.seed, l2=config.l2, cross_validated=cross_validated,
    )  # fmt: skip


def _finish(probed: _Probed, folder: RunFolder, start: Start, began: float, report: Report) -> TuneResult:
    """Run the strategies, measure the one that is kept, write the report, and finish the run."""
    write_text(folder.tune, start.config)
    keep_split(probed.task.samples, folder.split)
    candidate = None
    if probed.probe is not None:
        candidate = _probe_candidate(probed, probed.probe)
        _save(candidate, probed.task, folder)
    deadline = began + probed.task.config.budget_s
    choice = run_strategies(probed.task, probed.read, probed.probe, candidate, folder, deadline)
    network = _save(choice.chosen, probed.task, folder)
    result = _result(probed, choice, network, folder, datetime.fromisoformat(start.started))
    result = replace(result, seconds=time.perf_counter() - began, warnings=warnings(result))
    write_text(folder.tune, tune_toml(result.decided))
    if result.doubtful_labels:
        write_label_file(result.doubtful_labels, folder.doubtful_labels, probed.task.location)
    report(result)
    finish(folder)
    return result


def _probe_candidate(probed: _Probed, probe: LinearProbe) -> Candidate:
    result = StrategyResult(
        strategy="linear-probe",
        validation=probe.validation.evaluation,
        test=None,
        seconds=probe.validation.seconds,
        forecast_seconds=None,
        epochs=(),
        best_epoch=None,
        note="logistic regression on frozen features",
    )
    probed.task.watcher.finished_strategy(result)
    head, classes = probe.head, probed.read.samples.classes
    return Candidate(
        result=result,
        network=with_last_layer(probed.task.network, head.weight, head.bias, classes),
        temperature=probe.validation.temperature,
        calibration=probe.validation.calibration,
        test_logits=head(probed.read.part("test")[0]),
    )


def _save(candidate: Candidate, task: Task, folder: RunFolder) -> Checkpoint:
    """Write the network into the run folder, and return it as it was saved."""
    origin = candidate.network.origin | {
        "verydeep": version("verydeep"),
        "data": task.samples.name,
        "strategy": candidate.result.strategy,
        "recipe": tune_toml(_decided(task.config, candidate)),
        "seed": task.config.seed,
        "temperature": candidate.temperature,
    }
    network = replace(candidate.network, origin=origin)
    save(network, folder.model)
    return network


def _result(
    probed: _Probed, choice: Choice, network: Checkpoint, folder: RunFolder, started: datetime
) -> TuneResult:
    task, read, chosen = probed.task, probed.read, choice.chosen
    test = read.samples.select(indices_of(read.samples, "test"))
    measured = choice.candidates if task.config.strategy == "compare" else (chosen,)
    logits = {each.result.strategy: logits_of_test(each, read) for each in measured}
    evaluations = {
        each.result.strategy: evaluate_logits(
            logits[each.result.strategy],
            test.labels,
            test.classes,
            groups=test.groups,
            temperature=each.temperature if each.temperature != 1 else None,
        )
        for each in measured
    }
    strategy = chosen.result.strategy
    run = [replace(each.result, test=evaluations.get(each.result.strategy)) for each in choice.candidates]
    return TuneResult(
        run=folder.path,
        location=task.location,
        asked=probed.asked,
        decided=_decided(task.config, chosen),
        architecture=network.model.architecture,
        preprocess=network.preprocess,
        origin=network.origin,
        images=read.summary,
        parts=part_sizes(read.samples),
        size_reason=task.size_reason,
        head_reason=probed.head_reason,
        balance=balance_text(_pool(read), probed.asked),
        features=read.cost,
        probe=None if probed.probe is None else probed.probe.validation,
        strategies=(*run, *choice.skipped),
        chosen=strategy,
        reason=choice.reason,
        test=evaluations[strategy],
        calibration=chosen.calibration,
        findings=data_quality(task, read.samples),
        mistakes=_mistakes(logits[strategy] / chosen.temperature, test),
        doubtful_labels=_doubtful(probed, logits[strategy] / chosen.temperature, test),
        warnings=(),
        machine=describe(task.device, "32-true"),
        started=started,
        seconds=0.0,
    )


def _decided(config: TuneConfig, chosen: Candidate) -> TuneConfig:
    """``config`` with the strategy that was chosen, and its training as it was planned."""
    strategy, recipe = chosen.result.strategy, chosen.recipe
    decided = replace(config, strategy=strategy, budget=NO_LIMIT)
    if recipe is None:
        return decided
    if strategy == "scratch":
        return replace(decided, scratch=replace(config.scratch, epochs=recipe.epochs))
    fine_tune = replace(config.fine_tune, freeze=recipe.freeze, epochs=recipe.epochs)
    return replace(decided, fine_tune=fine_tune)


def _doubtful(
    probed: _Probed, test_logits: Float32[Tensor, "test classes"], test: Samples
) -> tuple[LabelRow, ...]:
    """Of the test images by the network, of all others by cross-validation: none was trained on its image."""
    doubtful = doubtful_labels(test_logits, test.labels, test.classes, test.names)
    probe = probed.probe
    if probe is not None and probe.held_out_logits is not None:
        pool, logits = _pool(probed.read), probe.held_out_logits / probe.validation.temperature
        doubtful += doubtful_labels(logits, pool.labels, pool.classes, pool.names)
    return tuple(sorted(doubtful, key=lambda row: -(row.confidence or 0)))


def _mistakes(logits: Float32[Tensor, "test classes"], test: Samples) -> tuple[MistakenImage, ...]:
    return tuple(
        MistakenImage(
            name=test.names[mistake.index],
            source=test.sources[mistake.index],
            label=mistake.label,
            predicted=mistake.predicted,
            confidence=mistake.confidence,
        )
        for mistake in most_confident_mistakes(logits, test.labels, test.classes)
    )
