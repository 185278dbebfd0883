"""`verydeep tune`: from a folder of images to a saved classifier, in the order in which a reader would do it.

    images with their split, the pretrained network         prepare.py
    features of the frozen network, and a linear probe      probe.py
    fine-tuning where it pays; the choice                   strategies.py, choice.py
    one evaluation on the test images; warnings             measure.py, warnings.py

Every decision goes into the configuration, which is saved at the end: given back, it repeats the run.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from verydeep.atomic_write import require_room, write_text
from verydeep.data.label_file import write_label_file
from verydeep.data.split_file import keep_split
from verydeep.data.split_parts import indices_of
from verydeep.errors import Interrupted
from verydeep.evaluate.metrics import accuracy, balanced_accuracy
from verydeep.machine import Device
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.run_folder import RunFolder
from verydeep.train.start.pretrained import with_last_layer
from verydeep.train.unfinished_run import (
    Start,
    begin,
    claimed_run,
    finish,
    require_empty,
    require_same,
    require_unfinished,
)
from verydeep.tune.choice import Candidate
from verydeep.tune.config import TuneConfig, new_start, tune_toml, unfinished_config
from verydeep.tune.linear_probe import LinearProbe
from verydeep.tune.measure import decided_config, measure
from verydeep.tune.prepare import Task, TuneWatcher, prepare
from verydeep.tune.probe import Probed, probe_features
from verydeep.tune.result import StrategyResult, TuneResult
from verydeep.tune.strategies import logits_of_test, run_strategies
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
        LearningError: where the strategy that was asked for does not learn; of auto and compare, the others
            go on, as they do where the disk has no room for its feature maps, which is a DataError.
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
        probed = replace(probe_features(task, cache, began), asked=config)
        start = _with_decisions(start, probed.task)
        begin(folder, start)
        with _counted(folder, start, began):
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


def _resume(
    folder: RunFolder,
    device: Device,
    watcher: TuneWatcher,
    cache: Path | None,
    report: Report,
    began: float,
) -> TuneResult:
    start = require_unfinished(folder.path, "tune")
    with _counted(folder, start, began):
        probed = _probed_again(folder, start, device, watcher, cache, began)
        return _finish(probed, folder, start, began, report)


@contextmanager
def _counted(folder: RunFolder, start: Start, began: float) -> Iterator[None]:
    """Where this process is interrupted, its seconds are kept for the one that resumes the run."""
    try:
        yield
    except Interrupted:
        begin(folder, replace(start, seconds=_seconds(start, began)))
        raise


def _seconds(start: Start, began: float) -> float:
    """Of this process, which began then, and of those before it."""
    return start.seconds + time.perf_counter() - began


def _probed_again(
    folder: RunFolder,
    start: Start,
    device: Device,
    watcher: TuneWatcher,
    cache: Path | None,
    began: float,
) -> Probed:
    asked = unfinished_config(folder.path)
    config = replace(
        asked,
        weights=start.weights or asked.weights,
        size=start.size or asked.size,
        fit=start.fit or "crop",
        precision=start.precision or asked.precision,
    )
    task = prepare(start.data, config, device, watcher)
    task = replace(
        task,
        size_reason=start.size_reason or task.size_reason,
        fit_reason=start.fit_reason,
        weights_reason=start.weights_reason or task.weights_reason,
    )
    keep_split(task.samples, folder.split, task.content)
    return replace(probe_features(task, cache, began), asked=asked)


def _with_decisions(start: Start, task: Task) -> Start:
    preprocess = task.network.preprocess
    return replace(
        start,
        weights=task.config.weights,
        size=preprocess.size,
        fit=preprocess.fit,
        precision=task.precision,
        size_reason=task.size_reason,
        fit_reason=task.fit_reason,
        weights_reason=task.weights_reason,
    )


def _finish(probed: Probed, folder: RunFolder, start: Start, began: float, report: Report) -> TuneResult:
    """Run the strategies, measure the one that is kept, write the report, and finish the run."""
    write_text(folder.tune, start.config)
    keep_split(probed.task.samples, folder.split, probed.task.content)
    candidate = None
    if probed.probe is not None:
        candidate = _probe_candidate(probed, probed.probe)
        _save(candidate, probed, folder)
    deadline = began + probed.task.config.budget_s
    choice = run_strategies(probed.task, probed.read, probed.probe, candidate, folder, deadline)
    chosen = replace(choice.chosen, test_logits=logits_of_test(choice.chosen, probed.read))
    network = _save(chosen, probed, folder)
    result = measure(
        probed, replace(choice, chosen=chosen), network, folder, datetime.fromisoformat(start.started)
    )
    result = replace(result, seconds=_seconds(start, began), warnings=warnings(result))
    write_text(folder.tune, tune_toml(result.decided))
    if result.doubtful_labels:
        write_label_file(result.doubtful_labels, folder.doubtful_labels, probed.task.location)
    report(result)
    finish(folder)
    return result


def _probe_candidate(probed: Probed, probe: LinearProbe) -> Candidate:
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


def _save(candidate: Candidate, probed: Probed, folder: RunFolder) -> Checkpoint:
    """Write the network into the run folder, and return it as it was saved."""
    task, logits = probed.task, logits_of_test(candidate, probed.read).numpy()
    labels = probed.read.samples.select(indices_of(probed.read.samples, "test")).labels
    origin = candidate.network.origin | {
        "verydeep": version("verydeep"),
        "data": task.samples.name,
        "strategy": candidate.result.strategy,
        "recipe": tune_toml(decided_config(task.config, candidate)),
        "seed": task.config.seed,
        "temperature": candidate.temperature,
        "test_top1": accuracy(logits, labels),
        "test_balanced_accuracy": balanced_accuracy(logits, labels),
    }
    if task.config.from_run is not None:
        origin["from_run"] = task.config.from_run
    network = replace(candidate.network, origin=origin)
    save(network, folder.model)
    return network
