"""Which ways to learn are tried, on the same images, and which is kept: the head unless another is surer."""

import time
from dataclasses import dataclass, replace
from functools import cached_property

from jaxtyping import Float32, Int64
from torch import Tensor

from verydeep.analyze.stage_cost import stage_macs
from verydeep.data.images import Images
from verydeep.data.samples import Samples
from verydeep.data.split_file import indices_of
from verydeep.errors import DataError
from verydeep.evaluate.calibration import fit_temperature
from verydeep.evaluate.logits import predict_logits
from verydeep.evaluate.metrics import balanced_accuracy
from verydeep.evaluate.score import Score, drawn_accuracies, score
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.speed import Plan, measured_speed
from verydeep.tune.backbone import with_head
from verydeep.tune.budget import (
    FEW,
    Refusal,
    Work,
    least_from_scratch,
    least_plan,
    plan_fine_tuning,
)
from verydeep.tune.fine_tune import Deeper, fabric_for, fine_tune_config, hold_out, train_anew, train_on
from verydeep.tune.linear_probe import LearntHead, fit_head
from verydeep.tune.logistic_regression import LinearHead
from verydeep.tune.prepare import Seen, Task, remedy_for
from verydeep.tune.result import Candidate

SURE = 0.9
"""The share of draws in which a network that was trained itself must be better than the head alone."""
SLACK = 1.25
"""Times its forecast a training may take, if there is time, before its rate is brought down early."""
TIMES_SLOWER = 2.0
"""How much longer a look in fp32 may take than one in the precision of training."""
RESERVE = 5.0
"""Seconds for what comes after training, beside looking at the test images."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A network that could be kept."""

    candidate: Candidate
    network: Checkpoint
    temperature: float
    val: Float32[Tensor, "val classes"] | None
    """What it says of the images held out to compare by; None where nothing is compared."""
    test: Float32[Tensor, "test classes"] | None
    """What it says of the test images; None where that is not known yet."""


@dataclass(frozen=True, kw_only=True)
class Trials:
    """What was tried, what was left, and what is kept for which reason."""

    tried: tuple[Tried, ...]
    left: tuple[Candidate, ...]
    chosen: Tried
    why: str


def try_ways(
    task: Task, seen: Seen, learned: LearntHead | None, frozen: Tried | None, began: float
) -> Trials:
    """Try what was asked for, or what the data and the rest of the budget allow.

    Args:
        task: what was asked.
        seen: the images.
        learned: the head on the frozen network; None from scratch.
        frozen: the network with that head.
        began: when the budget began to be spent.
    """
    if frozen is None or learned is None:
        return _from_scratch(task, seen, began)
    if task.settings.way == "frozen":
        return Trials(tried=(frozen,), left=(), chosen=frozen, why="only the head was learned, as asked for")
    try:
        bench = _bench(task, seen, began)
    except DataError as error:
        if task.settings.way != "auto":
            raise
        return _left(frozen, Refusal(f"no images can be held out to compare ways by: {error}"))
    return _deeper(task, seen, learned, frozen, bench)


def _left(frozen: Tried, refusal: Refusal) -> Trials:
    """The head alone, and why."""
    candidate = Candidate(
        way="full",
        validation=None,
        test=None,
        seconds=0.0,
        forecast_seconds=refusal.seconds,
        epochs=(),
        best_epoch=None,
        note=f"not tried: {refusal.why}",
    )
    why = f"the network stayed as it is: {refusal.why}"
    return Trials(tried=(frozen,), left=(candidate,), chosen=frozen, why=why)


@dataclass(frozen=True)
class _Bench:
    """One split of the training images, on which all ways are compared, and the time there is."""

    task: Task
    seen: Seen
    learn_places: Int64[Tensor, " learn"]
    val_places: Int64[Tensor, " val"]
    began: float

    @cached_property
    def learn(self) -> Samples:
        """The images to learn from."""
        return self.seen.samples.select(self.learn_places)

    @cached_property
    def val(self) -> Samples:
        """The images to compare by."""
        return self.seen.samples.select(self.val_places)

    @cached_property
    def work(self) -> Work:
        """What there is to do; the speed is measured."""
        speed = measured_speed(self.task.network.model, fabric_for(self.task))
        return Work(len(self.learn), len(self.val), speed)

    @property
    def left(self) -> float:
        """Seconds of the budget, less what measuring on the test takes."""
        test = len(indices_of(self.seen.samples, "test"))
        macs = sum(stage_macs(self.task.network.model.architecture))
        looked_at = TIMES_SLOWER * (test + len(self.val)) * macs / self.work.macs_per_second
        after = RESERVE + looked_at
        return self.task.settings.budget - (time.perf_counter() - self.began) - after


def _bench(task: Task, seen: Seen, began: float) -> _Bench:
    learn, val = hold_out(seen.samples, task.settings.seed)
    return _Bench(task, seen, learn, val, began)


def _deeper(task: Task, seen: Seen, learned: LearntHead, frozen: Tried, bench: _Bench) -> Trials:
    """Train the network itself too, where that is asked for or worth it, and choose."""
    head, logits = _head_on_trial(bench, learned)
    plan = _plan(bench, logits)
    if isinstance(plan, Refusal):
        return _left(frozen, plan)
    learn, val = seen.images(bench.learn_places), seen.images(bench.val_places)
    begun = with_head(task.network, head, bench.learn.classes)
    begun.model.to(task.device)
    frozen = replace(
        frozen, candidate=replace(frozen.candidate, validation=_score(logits, bench)), val=logits
    )
    seconds = max(plan.seconds, min(_share(bench), SLACK * plan.seconds))
    deeper = [train_on(task, begun, learn, val, plan, seconds)]
    if task.settings.way == "compare":
        deeper.append(_anew(bench, begun, learn, val))
    return _choose(frozen, [_tried(each, plan, bench, val, logits) for each in deeper], bench)


def _head_on_trial(bench: _Bench, learned: LearntHead) -> tuple[LinearHead, Float32[Tensor, "val classes"]]:
    """A head that has not seen the images to compare by, and what it says of them."""
    assert bench.seen.features is not None
    head = fit_head(
        bench.seen.features[bench.learn_places],
        bench.learn.labels,
        len(bench.learn.classes),
        remedy_for(bench.learn, bench.task.settings),
        learned.validation.strength,
    )
    return head, head(bench.seen.features[bench.val_places])


def _plan(bench: _Bench, logits: Tensor) -> Plan | Refusal:
    """How deep to train, or why not at all; what was asked for is begun in any case."""
    settings, architecture = bench.task.settings, bench.task.network.model.architecture
    config, few = fine_tune_config(bench.task), len(bench.learn) < FEW
    if settings.way == "auto" and few:
        return Refusal(
            f"{len(bench.learn):,} training images are too few to train the network itself by; --full does "
            "so all the same"
        )
    if settings.way == "auto" and balanced_accuracy(logits, bench.val.labels) == 1:
        return Refusal(
            f"the head is right on all {len(bench.val):,} images held out; nothing is to be gained"
        )
    plan = plan_fine_tuning(architecture, bench.work, _share(bench), settings.budget, config)
    if isinstance(plan, Refusal) and settings.way != "auto":
        plan = least_plan(architecture, bench.work, config)
    return replace(plan, stages=1) if isinstance(plan, Plan) and few else plan


def _share(bench: _Bench) -> float:
    """Seconds for fine-tuning: all that is left, or half of it where new weights are trained after it."""
    return bench.left / 2 if bench.task.settings.way == "compare" else bench.left


def _anew(bench: _Bench, like: Checkpoint, learn: Images, val: Images) -> Deeper:
    least = least_from_scratch(like.model.architecture, bench.work)
    return train_anew(bench.task, like, learn, val, max(bench.left, least))


def _from_scratch(task: Task, seen: Seen, began: float) -> Trials:
    bench = _bench(task, seen, began)
    learn, val = seen.images(bench.learn_places), seen.images(bench.val_places)
    network = replace(task.network, model=task.network.model.to(task.device))
    tried = _tried(_anew(bench, network, learn, val), None, bench, val, None)
    why = "a network with new weights was trained, as asked for"
    return Trials(tried=(tried,), left=(), chosen=tried, why=why)


def _tried(deeper: Deeper, plan: Plan | None, bench: _Bench, val: Images, of_head: Tensor | None) -> Tried:
    """Measure a trained network on held-out images; where nothing was learned, the head's figures hold."""
    network = deeper.network
    if deeper.way == "full" and deeper.best_epoch == 0 and of_head is not None:
        logits = of_head
    else:
        logits = predict_logits(network.model, val.pixels, network.preprocess)
    whole = len(stage_macs(network.model.architecture)) - 1
    stages = plan.stages if plan and deeper.way == "full" else whole
    what = {whole: "all of the network", 1: "the last stage"}.get(stages, f"the last {stages} stages")
    start = "from the learned head on" if deeper.way == "full" else "from new weights"
    candidate = Candidate(
        way=deeper.way,
        validation=_score(logits, bench),
        test=None,
        seconds=deeper.seconds,
        forecast_seconds=plan.seconds if plan and deeper.way == "full" else None,
        epochs=deeper.epochs,
        best_epoch=deeper.best_epoch,
        note=f"{what} trained {start}; best after epoch {deeper.best_epoch} of {len(deeper.epochs)}",
    )
    bench.task.watcher.tried(candidate)
    return Tried(
        candidate=candidate,
        network=network,
        temperature=fit_temperature(logits, bench.val.labels),
        val=logits,
        test=None,
    )


def on_test(tried: Tried, seen: Seen) -> Float32[Tensor, "test classes"]:
    """What ``tried`` says of the test images."""
    if tried.test is not None:
        return tried.test
    images = seen.images(indices_of(seen.samples, "test"))
    return predict_logits(tried.network.model, images.pixels, tried.network.preprocess)


def _score(logits: Tensor, bench: _Bench) -> Score:
    return score(logits, bench.val.labels, bench.val.groups, bench.val.classes)


def _choose(frozen: Tried, others: list[Tried], bench: _Bench) -> Trials:
    """The head alone, unless another way is surely better on the images held out."""
    tried, full = (frozen, *others), others[0]
    if bench.task.settings.way == "full":
        why = "the network was trained on from the head, as asked for"
        return Trials(tried=tried, left=(), chosen=full, why=why)
    best, share, base = frozen, 0.0, _draws(frozen, bench)
    for each in others:
        better = float((_draws(each, bench) > base).double().mean())
        if better >= SURE and better > share:
            best, share = each, better
    return Trials(tried=tried, left=(), chosen=best, why=_reason(frozen, full, best, share, bench))


def _draws(tried: Tried, bench: _Bench) -> Tensor:
    assert tried.val is not None
    return drawn_accuracies(tried.val, bench.val.labels, bench.val.groups)


def _reason(frozen: Tried, full: Tried, best: Tried, share: float, bench: _Bench) -> str:
    head, other = (each.candidate.validation for each in (frozen, full if best is frozen else best))
    assert head is not None and other is not None
    figures = (
        f"balanced accuracy {other.balanced_accuracy:.1%} against {head.balanced_accuracy:.1%} of the head"
    )
    where = f"on the {len(bench.val):,} training images held out to compare by"
    if best is frozen:
        return (
            f"training the network itself was not surely better: {figures} {where}, from which the head "
            "that is kept learned too"
        )
    return f"training the network itself was better: {figures} {where}, in {share:.0%} of draws of them"
