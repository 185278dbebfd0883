"""Strategies: which are run, which are skipped and why, all measured on the same held-out images."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from verydeep.analyze.stage_cost import stage_macs
from verydeep.data.images import Images
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.data.split import grouped_split
from verydeep.data.split_parts import indices_of
from verydeep.decoding.batch_size import auto_batch_size
from verydeep.errors import DataError, LearningError
from verydeep.evaluate.evaluation import Evaluation, evaluate_logits
from verydeep.evaluate.metrics import balanced_accuracy
from verydeep.evaluate.temperature_choice import choose_temperature
from verydeep.image_sources.samples import Samples
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.logits import predict_logits
from verydeep.train.recipe import Recipe
from verydeep.train.run import Trained, fabric_on
from verydeep.train.run_folder import RunFolder
from verydeep.train.start.pretrained import with_last_layer
from verydeep.train.state import trained_stages
from verydeep.tune.budget import (
    LEAST_EPOCHS,
    Plan,
    Skipped,
    Work,
    least_plan,
    least_scratch_seconds,
    measured_speed,
    plan_fine_tuning,
)
from verydeep.tune.choice import (
    Candidate,
    Choice,
    choose,
    without_comparison,
    without_fine_tuning,
    without_network,
)
from verydeep.tune.config import Strategy
from verydeep.tune.features import ReadImages
from verydeep.tune.fine_tune import fine_tune, save_plan, saved_plan, train_from_scratch
from verydeep.tune.forecast import FP32_COST
from verydeep.tune.linear_probe import LinearProbe, fit_head
from verydeep.tune.prepare import Task, balance_method
from verydeep.tune.result import StrategyResult

FEW_IMAGES = 500
"""With fewer training images auto keeps the linear probe, and fine-tuning trains the last stage only."""
RESERVE = 5.0
"""Seconds kept for the report, beside evaluation on the test images."""


def run_strategies(
    task: Task,
    read: ReadImages,
    probe: LinearProbe | None,
    probe_candidate: Candidate | None,
    folder: RunFolder,
    deadline: float,
) -> Choice:
    """Run the strategies that were asked for, or that the data and the rest of the budget allow, and choose.

    Args:
        task: what was asked.
        read: the images.
        probe: the linear probe; None where training from scratch is all that was asked for.
        probe_candidate: the network with that probe.
        folder: where training states are saved.
        deadline: the end of the time budget, by ``time.perf_counter``.
    """
    strategy = task.config.strategy
    if probe_candidate is not None and strategy == "linear-probe":
        return without_comparison(probe_candidate, "the linear probe alone was trained, as asked for")
    try:
        comparison = _hold_out(task, read, folder, deadline)
    except DataError as error:
        if probe_candidate is None or strategy != "auto":
            raise
        return without_fine_tuning(
            probe_candidate, Skipped(f"no images can be held out to compare strategies on: {error}")
        )
    if probe_candidate is None or probe is None:
        candidate = _from_scratch(comparison, task.network)
        return without_comparison(candidate, "the network was trained from scratch, as asked for")
    return _train_and_choose(comparison, probe, probe_candidate)


@dataclass(frozen=True)
class _Comparison:
    """One split of the training images that all strategies are compared on, and the time there is."""

    task: Task
    read: ReadImages
    train_indices: Int64[Tensor, " train"]
    val_indices: Int64[Tensor, " val"]
    folder: RunFolder
    deadline: float

    @cached_property
    def train(self) -> Samples:
        """To train on."""
        return self.read.samples.select(self.train_indices)

    @cached_property
    def val(self) -> Samples:
        """To compare on; never trained on."""
        return self.read.samples.select(self.val_indices)

    @cached_property
    def train_images(self) -> Images | ImagesOnDisk:
        """The same with their pixels."""
        return self.read.images(self.train_indices)

    @cached_property
    def val_images(self) -> Images | ImagesOnDisk:
        """Likewise."""
        return self.read.images(self.val_indices)

    @cached_property
    def work(self) -> Work:
        """What there is to compute; the speed is measured."""
        fabric = fabric_on(self.task.device, self.task.config.fine_tune.precision)
        return Work(len(self.train), len(self.val), measured_speed(self.task.network.model, fabric))

    @property
    def seconds_left(self) -> float:
        """Of the budget, after evaluation on the test images."""
        test = len(indices_of(self.read.samples, "test"))
        macs = sum(stage_macs(self.task.network.model.architecture))
        evaluation = FP32_COST * (test + len(self.val)) * macs / self.work.macs_per_second
        return self.deadline - time.perf_counter() - evaluation - RESERVE

    @property
    def share(self) -> float:
        """Seconds for fine-tuning: all that are left, or half where training from scratch follows."""
        return self.seconds_left / 2 if self.task.config.strategy == "compare" else self.seconds_left

    def evaluate(self, logits: Tensor) -> Evaluation:
        """On the held-out images."""
        return evaluate_logits(logits, self.val.labels, self.val.classes, groups=self.val.groups)


def _hold_out(task: Task, read: ReadImages, folder: RunFolder, deadline: float) -> _Comparison:
    """The validation images that the data came with, or a share of the training images.

    Raises:
        DataError: where no image can be held out.
    """
    train, val = indices_of(read.samples, "train"), indices_of(read.samples, "val")
    if not len(val):
        images, config = read.samples.select(train), task.config
        kept, held_out = grouped_split(
            torch.from_numpy(images.labels), images.groups, config.validation, config.seed
        )
        train, val = train[kept], train[held_out]
    return _Comparison(task, read, train, val, folder, deadline)


def _train_and_choose(comparison: _Comparison, probe: LinearProbe, candidate: Candidate) -> Choice:
    """Fine-tune, and train from scratch to compare, where that was asked for or is worth it; then choose."""
    task = comparison.task
    start, logits = _probe_without_held_out(comparison, probe)
    plan = saved_plan(comparison.folder) or _plan(comparison, logits)
    save_plan(plan, comparison.folder)
    if isinstance(plan, Skipped):
        return without_fine_tuning(candidate, plan)
    measured = replace(candidate.result, validation=comparison.evaluate(logits))
    candidate = replace(candidate, result=measured, val_logits=logits)
    if task.config.strategy == "fine-tune":
        tuned = _fine_tuned(comparison, start, logits, plan)
        reason = "the network was fine-tuned from the linear probe, as asked for"
        return Choice(candidates=(candidate, tuned), skipped=(), chosen=tuned, reason=reason)
    attempts = [_attempted(task, "fine-tune", lambda: _fine_tuned(comparison, start, logits, plan))]
    if task.config.strategy == "compare":
        attempts.append(_attempted(task, "scratch", lambda: _from_scratch(comparison, task.network)))
    others = [each for each in attempts if isinstance(each, Candidate)]
    failed = [each for each in attempts if isinstance(each, StrategyResult)]
    return choose(candidate, others, comparison.val, failed)


def _attempted(task: Task, strategy: Strategy, train: Callable[[], Candidate]) -> Candidate | StrategyResult:
    """The network that ``train`` gives; where it gives none, why: the other strategies have one."""
    began = time.perf_counter()
    try:
        return train()
    except LearningError as error:
        why = f"did not learn: {error}"
    except DataError as error:  # no room for feature maps, or images are gone
        why = f"could not be trained: {error}"
    result = without_network(strategy, why, time.perf_counter() - began)
    task.watcher.finished_strategy(result)
    return result


def _probe_without_held_out(
    comparison: _Comparison, probe: LinearProbe
) -> tuple[Checkpoint, Float32[Tensor, "val classes"]]:
    """The network with a probe that was not trained on the held-out images, and its logits of these."""
    task, features, classes = comparison.task, comparison.read.features, comparison.train.classes
    assert features is not None
    head = fit_head(
        features[comparison.train_indices],
        torch.from_numpy(comparison.train.labels),
        len(classes),
        balance_method(comparison.train, task.config),
        probe.validation.l2,
    )
    start = with_last_layer(task.network, head.weight, head.bias, classes)
    start.model.to(task.device)
    return start, head(features[comparison.val_indices])


def _plan(comparison: _Comparison, logits: Tensor) -> Plan | Skipped:
    """How deep to fine-tune, or why fine-tuning was skipped; what was asked for is always started."""
    config, images = comparison.task.config, len(comparison.train)
    recipe, architecture = config.fine_tune_recipe, comparison.task.network.model.architecture
    trained_stages(recipe, architecture)  # refuses more frozen stages than there are
    if config.strategy == "auto":
        if images < FEW_IMAGES:
            return Skipped(
                f"{images:,} training images are too few for it; --strategy fine-tune does it all the same"
            )
        if balanced_accuracy(logits.numpy(), comparison.val.labels) == 1:
            return Skipped(
                f"the linear probe is right on all {len(comparison.val):,} held-out images: nothing is gained"
            )
    if images < FEW_IMAGES and recipe.freeze == "auto":
        recipe = replace(recipe, freeze=len(stage_macs(architecture)) - 2)  # the last stage only
    kept = 0.0 if comparison.read.cost is None else comparison.read.cost.seconds
    plan = plan_fine_tuning(recipe, architecture, comparison.work, comparison.share, config.budget_s, kept)
    if isinstance(plan, Skipped) and config.strategy != "auto":
        return least_plan(recipe, architecture, comparison.work)
    return plan


def _fine_tuned(comparison: _Comparison, start: Checkpoint, of_probe: Tensor, plan: Plan) -> Candidate:
    task = comparison.task
    recipe = replace(task.config.fine_tune_recipe, freeze=plan.freeze, epochs=plan.epochs)
    train, val = comparison.train_images, comparison.val_images  # decoded before the clock is read
    least_epochs = 0 if task.config.strategy == "auto" else min(LEAST_EPOCHS, plan.epochs)
    limit = inf if plan.epochs == least_epochs else plan.limit(comparison.share)
    task.watcher.plans("fine-tune", len(comparison.train), len(comparison.val), limit)
    began = time.perf_counter()
    trained = fine_tune(task, start, recipe, train, val, comparison.folder, limit, least_epochs)
    seconds = time.perf_counter() - began
    logits = of_probe if trained.best_epoch == 0 else _logits(trained.network, val)
    stages = len(stage_macs(start.model.architecture)) - 1
    what = {0: "all stages", stages - 1: "the last stage", stages: "the head"}
    note = (
        f"{what.get(plan.freeze, f'the last {stages - plan.freeze} stages')} trained on from the linear probe"
    )
    return _candidate(comparison, "fine-tune", trained, recipe, logits, note, seconds, plan.seconds)


def _from_scratch(comparison: _Comparison, like: Checkpoint) -> Candidate:
    task, recipe = comparison.task, comparison.task.config.scratch_recipe
    train, val = comparison.train_images, comparison.val_images
    limit = max(comparison.seconds_left, least_scratch_seconds(like.model.architecture, comparison.work))
    task.watcher.plans("scratch", len(comparison.train), len(comparison.val), limit)
    began = time.perf_counter()
    trained = train_from_scratch(task, like, recipe, train, val, comparison.folder, limit)
    seconds = time.perf_counter() - began
    note = "all stages trained from random weights"
    return _candidate(
        comparison, "scratch", trained, recipe, _logits(trained.network, val), note, seconds, None
    )


def _candidate(
    comparison: _Comparison,
    strategy: Strategy,
    trained: Trained,
    recipe: Recipe,
    logits: Tensor,
    note: str,
    seconds: float,
    forecast: float | None,
) -> Candidate:
    """Measured on the held-out images."""
    epochs = trained.epochs
    best = len(epochs) if trained.best_epoch is None else trained.best_epoch
    result = StrategyResult(
        strategy=strategy,
        validation=comparison.evaluate(logits),
        test=None,
        seconds=max(seconds, trained.seconds),  # which has those before an interruption
        forecast_seconds=forecast,
        epochs=epochs,
        best_epoch=best,
        note=f"{note}; epoch {best} of {len(epochs)} was kept",
    )
    comparison.task.watcher.finished_strategy(result)
    val = comparison.val
    seed = comparison.task.config.seed
    calibration = choose_temperature(logits.numpy(), val.labels, val.groups, seed)
    return Candidate(
        result=result,
        network=trained.network,
        temperature=calibration.temperature if calibration else 1.0,
        calibration=calibration,
        recipe=replace(recipe, epochs=epochs[-1].epochs) if epochs else recipe,
        val_logits=logits,
    )


def _logits(network: Checkpoint, images: Images | ImagesOnDisk) -> Float32[Tensor, "count classes"]:
    batches = images.pixel_batches(auto_batch_size(network.preprocess.size**2))
    return torch.cat([predict_logits(network.model, pixels, network.preprocess) for pixels in batches])


def logits_of_test(candidate: Candidate, read: ReadImages) -> Float32[Tensor, "test classes"]:
    """The logits of the test images."""
    if candidate.test_logits is not None:
        return candidate.test_logits
    return _logits(candidate.network, read.images(indices_of(read.samples, "test")))
