"""Fine-tuning: a trained network goes on learning from your images, gently, from a head that already fits.

First the head is trained on frozen features, elsewhere; then the last stages, or all, from there: a head that
fits sends no large gradients into features that were good (LP-FT, Kumar et al. 2022, arXiv 2202.10054).
Where stages stay frozen their maps are computed once (``train/inputs.py``) and every epoch runs on the rest.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from verydeep.data.batches import order
from verydeep.data.images import Images
from verydeep.evaluate.metrics import accuracy, balanced_accuracy
from verydeep.models.stages import UpperPart, copy_above, cut
from verydeep.train.balance import balanced_criterion, balanced_order, chosen_balance
from verydeep.train.inputs import MEMORY_LIMIT, Inputs, PixelInputs, fill, map_inputs
from verydeep.train.loop import STEPS_BETWEEN_CHECKS
from verydeep.train.optimizer import set_rate, staged_adamw
from verydeep.train.results import TunedEpoch
from verydeep.train.schedule import ScheduleConfig, rate_factor
from verydeep.train.slices import Criterion
from verydeep.train.tuning import Best, FineTuneConfig, TuningState
from verydeep.train.watch import require_better_than_chance, require_finite

AfterStep = Callable[[TuningState], None]


def fine_tune(
    state: TuningState,
    train: Images,
    val: Images,
    fabric: Fabric,
    *,
    deadline_s: float | None = None,
    after_step: AfterStep = lambda state: None,
    memory_limit: int = MEMORY_LIMIT,
) -> Iterator[TunedEpoch]:
    """Train the network of ``state`` on, one result an epoch; ``state.kept()`` is the best on ``val``.

    What is evaluated and kept is the moving average of the weights; the best has the highest balanced
    accuracy, and of equals the lowest loss; the network as it came counts as epoch 0.

    Args:
        state: the network with its trained head, on the device of ``fabric``, and how to train it.
        train: images to learn from.
        val: images to choose the epoch by, none of which is trained on.
        fabric: device and precision.
        deadline_s: seconds from the first call on, computing maps and validation included. The rate has
            fallen to zero by then, and an epoch that is under way ends early.
        after_step: called after each step and each batch of maps; what it raises ends training, and
            ``state`` keeps the best so far.
        memory_limit: bytes of maps to hold in memory; more go to a temporary file.

    Raises:
        LearningError: where the loss is not finite, or accuracy stays at chance.
        SpecError: where the network has not so many stages.
        DataError: where there is no room for the maps.
    """
    clock = _Clock(deadline_s)
    config = state.config
    below, part = cut(copy_above(state.network.model, config.stages).eval(), config.stages)
    state.epochs, state.steps = config.course_epochs(len(train)), config.steps(len(train))
    pixels = PixelInputs(
        train, val, state.network.preprocess, config.augment, config.seed, fabric.device
    )  # fmt: skip
    with ExitStack() as held:
        inputs: Inputs = pixels
        if len(below):
            inputs = maps = held.enter_context(map_inputs(below, pixels, fabric, memory_limit))
            for images in fill(maps, below, pixels, fabric):
                state.mapped += images
                state.seconds = clock.seconds
                after_step(state)
                if clock.is_over:
                    return
        session = _session(state, part, inputs, train, val, fabric, clock)
        began = clock.seconds
        _look(state, session)
        clock.begin_training(look_s=clock.seconds - began)
        yield from _epochs(state, session, after_step)


class _Clock:
    """How long it has been, and whether there is time left."""

    def __init__(self, deadline_s: float | None) -> None:
        self.began = self.training_from = time.perf_counter()
        self.end = math.inf if deadline_s is None else self.began + deadline_s

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    @property
    def is_over(self) -> bool:
        return time.perf_counter() >= self.end

    def begin_training(self, look_s: float) -> None:
        """Training runs from now to ``look_s`` before the deadline, so that its last look is in time."""
        self.training_from = time.perf_counter()
        self.end -= look_s

    @property
    def part(self) -> float:
        """How much of the time for training is used up, in [0, 1]; 0 where there is no deadline."""
        if self.end <= self.training_from:
            return 1.0
        return min(1.0, (time.perf_counter() - self.training_from) / (self.end - self.training_from))


@dataclass(frozen=True)
class _Session:
    """What stays the same from the first step to the last."""

    part: UpperPart
    module: nn.Module
    """The part as the fabric runs it."""
    average: AveragedModel
    optimizer: Optimizer
    inputs: Inputs
    criterion: Criterion
    labels: Tensor
    """Of the training images."""
    val_labels: Tensor
    by_class: bool
    """Whether an epoch shows every class equally often."""
    fabric: Fabric
    clock: _Clock


def _session(
    state: TuningState,
    part: UpperPart,
    inputs: Inputs,
    train: Images,
    val: Images,
    fabric: Fabric,
    clock: _Clock,
) -> _Session:
    config = state.config
    torch.manual_seed(config.seed)  # of dropout
    part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    sizes = train.labels.cpu().bincount(minlength=len(train.classes))
    remedy = chosen_balance(sizes, config.balance)
    average = AveragedModel(
        part, multi_avg_fn=get_ema_multi_avg_fn(ema_decay(state.epochs * state.steps)), use_buffers=True
    )
    return _Session(
        part=part,
        module=fabric.setup_module(part),
        average=average,
        optimizer=cast(
            Optimizer, fabric.setup_optimizers(staged_adamw(rates(part, config), config.weight_decay))
        ),
        inputs=inputs,
        criterion=balanced_criterion(sizes, remedy, config.label_smoothing),
        labels=train.labels.to(fabric.device),
        val_labels=val.labels.cpu(),
        by_class=remedy == "sampler",
        fabric=fabric,
        clock=clock,
    )


def rates(part: UpperPart, config: FineTuneConfig) -> list[tuple[list[nn.Parameter], float]]:
    """Parameters of the last layer, of the head's hidden layers, and of each stage downwards; with rates."""
    *hidden, last = part.head
    parts = [(list(last.parameters()), config.lr * config.head_factor)]
    parts.append(([parameter for module in hidden for parameter in module.parameters()], config.lr))
    for below, stage in enumerate(reversed(part.stages)):
        parts.append((list(stage.parameters()), config.lr * config.stage_decay**below))
    return parts


def ema_decay(steps: int) -> float:
    """The decay a step of the moving average: it spans a fifth of training, 1,000 steps at most.

    That is 0.99 for 500 steps, 0.999 from 5,000 on.
    """
    return min(0.999, max(0.9, 1 - 5 / steps))


def _epochs(state: TuningState, session: _Session, after_step: AfterStep) -> Iterator[TunedEpoch]:
    """Epoch after epoch, until they are all done, or none is better, or the time is up."""
    session.part.train()
    if state.config.keeps_statistics(len(session.labels)):
        _keep_statistics(session.part)
    stalled = 0
    while state.epoch < state.epochs and stalled < state.config.patience and not session.clock.is_over:
        tally = _Tally.zero(session)
        for places in _batches(state, session):
            _step(state, session, places, tally)
            after_step(state)
            if session.clock.is_over:
                break
        result = _finish_epoch(state, session, tally)
        stalled = 0 if result.is_best else stalled + 1
        yield result


def _keep_statistics(part: nn.Module) -> None:
    for module in part.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _batches(state: TuningState, session: _Session) -> tuple[Tensor, ...]:
    """The places of each batch of the epoch; what fills no batch waits for another epoch's order."""
    seed, labels = state.config.seed, session.labels
    if session.by_class:
        places = balanced_order(labels, state.epoch, seed)
    else:
        places = order(len(labels), state.epoch, seed)
    size = min(state.config.batch_size, len(labels))
    batches: tuple[Tensor, ...] = places.to(labels.device).split(size)
    return batches[: state.steps]


@dataclass
class _Tally:
    """Sums over an epoch, kept on the device: reading them at every step would stall it."""

    loss: Tensor
    right: Tensor
    """Of each class, as all."""
    all: Tensor

    @classmethod
    def zero(cls, session: _Session) -> "_Tally":
        device, classes = session.labels.device, session.part.classes
        counts = torch.zeros(2, classes, dtype=torch.int64, device=device)
        return cls(torch.zeros((), device=device), counts[0], counts[1])

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        classes = len(self.all)
        self.loss += loss.detach() * len(labels)
        self.right += labels[logits.argmax(1) == labels].bincount(minlength=classes)
        self.all += labels.bincount(minlength=classes)


def _step(state: TuningState, session: _Session, places: Tensor, tally: _Tally) -> None:
    done = (state.epoch * state.steps + state.step) / (state.epochs * state.steps)
    schedule = ScheduleConfig(name="one-cycle", warmup=state.config.warmup)
    set_rate([session.optimizer], rate_factor(schedule, min(max(done, session.clock.part), 1.0)))
    labels = session.labels[places]
    logits = session.module(session.inputs.batch(places, state.epoch, state.step))
    loss = session.criterion(logits, labels)
    session.fabric.backward(loss)
    session.fabric.clip_gradients(
        session.module, session.optimizer, max_norm=state.config.clip, error_if_nonfinite=False
    )
    session.optimizer.step()
    session.optimizer.zero_grad()
    session.average.update_parameters(session.part)
    tally.add(loss, logits, labels)
    state.step += 1
    state.seconds = session.clock.seconds
    if state.step % STEPS_BETWEEN_CHECKS == 0:
        _require_finite(state, tally)


def _finish_epoch(state: TuningState, session: _Session, tally: _Tally) -> TunedEpoch:
    """Close the epoch in ``state``, look at validation, and say how it went."""
    _require_finite(state, tally)
    seen = tally.all > 0
    recalls = tally.right[seen] / tally.all[seen]
    made = state.epoch * state.steps + state.step
    state.epoch, state.step = state.epoch + 1, 0
    if len(recalls) > 1:
        # Balanced, as the loss may be: a network that learns rare classes first may well name fewer images
        # than one that names the largest class.
        require_better_than_chance(
            float(recalls.mean()), len(recalls) * int(tally.all[seen].min()), 1 / len(recalls), made,
            state.network.model.architecture, state.config.lr,
        )  # fmt: skip
    look = _look(state, session)
    state.seconds = session.clock.seconds
    return TunedEpoch(
        epoch=state.epoch,
        epochs=state.epochs,
        train_loss=float(tally.loss / tally.all.sum()),
        train_top1=float(tally.right.sum() / tally.all.sum()),
        val_loss=look.loss,
        val_top1=look.top1,
        val_balanced=look.balanced,
        is_best=state.best is not None and state.best.epoch == state.epoch,
        lr=session.optimizer.param_groups[0]["lr"],
        seconds=state.seconds,
    )


def _require_finite(state: TuningState, tally: _Tally) -> None:
    require_finite(float(tally.loss), state.network.model.architecture, state.config.lr)


class _Look(NamedTuple):
    """What validation says."""

    loss: float
    top1: float
    balanced: float


def _look(state: TuningState, session: _Session) -> _Look:
    """Look at validation, and keep the weights in ``state`` where they are the best so far."""
    part = cast(UpperPart, session.average.module)
    with torch.no_grad(), session.fabric.autocast():
        logits = torch.cat([part(images).float().cpu() for images in session.inputs.validation()])
    labels = session.val_labels
    look = _Look(
        float(functional.cross_entropy(logits, labels)),
        accuracy(logits, labels),
        balanced_accuracy(logits, labels),
    )
    best = state.best
    if best is None or (look.balanced, -look.loss) > (best.balanced, -best.loss):
        tensors = {name: value.detach().clone() for name, value in part.state_dict().items()}
        state.best = Best(epoch=state.epoch, balanced=look.balanced, loss=look.loss, tensors=tensors)
    return look
