"""Fine-tuning: a trained network goes on learning from your images, gently, from a head that already fits.

First the head is trained on frozen features, elsewhere; then the last stages, or all, from there: a head that
fits sends no large gradients into features that were good (LP-FT, Kumar et al. 2022, arXiv 2202.10054).
Where stages stay frozen their maps are computed once (``train/inputs.py``) and every epoch runs on the rest.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional

from verydeep.data.batches import order
from verydeep.data.images import Images
from verydeep.evaluate.metrics import accuracy, balanced_accuracy
from verydeep.models.stages import TrainablePart, copy_trainable, split_at_stage
from verydeep.train.class_imbalance import balanced_order
from verydeep.train.divergence import require_better_than_chance, require_finite
from verydeep.train.epoch_result import TunedEpoch
from verydeep.train.frozen_features import MEMORY_LIMIT, Inputs, PixelInputs, fill, map_inputs
from verydeep.train.loop import STEPS_BETWEEN_CHECKS
from verydeep.train.optimizer import set_rate
from verydeep.train.schedule import ScheduleConfig, rate_factor
from verydeep.train.session import ClassTally, Clock, Session, begin_session, begin_training
from verydeep.train.tuning import Best, TuningState

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
        ArchitectureError: where the network has not so many stages.
        DataError: where there is no room for the maps.
    """
    clock = Clock(deadline_s)
    config = state.config
    below, part = split_at_stage(copy_trainable(state.network.model, config.stages).eval(), config.stages)
    state.epochs, state.steps = config.course_epochs(len(train)), config.steps(len(train))
    seen = state.network.preprocess
    pixels = PixelInputs(train, val, seen, config.augment, config.seed, fabric.device)
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
        session = begin_session(state, part, inputs, train, val, fabric, clock)
        began = clock.seconds
        _look(state, session)
        clock.begin_training(look_s=clock.seconds - began)
        yield from _epochs(state, session, after_step)


def _epochs(state: TuningState, session: Session, after_step: AfterStep) -> Iterator[TunedEpoch]:
    """Epoch after epoch, until they are all done, or none is better, or the time is up."""
    begin_training(session.part, keep_statistics=state.config.keeps_statistics(len(session.labels)))
    stalled = 0
    while state.epoch < state.epochs and stalled < state.config.patience and not session.clock.is_over:
        tally = ClassTally.zero(session.part.classes, session.labels.device)
        for places in _batches(state, session):
            _step(state, session, places, tally)
            after_step(state)
            if session.clock.is_over:
                break
        result = _finish_epoch(state, session, tally)
        stalled = 0 if result.is_best else stalled + 1
        yield result


def _batches(state: TuningState, session: Session) -> tuple[Tensor, ...]:
    """The places of each batch of the epoch; what fills no batch waits for another epoch's order."""
    seed, labels = state.config.seed, session.labels
    if session.remedy == "sampler":
        places = balanced_order(labels, state.epoch, seed)
    else:
        places = order(len(labels), state.epoch, seed)
    size = min(state.config.batch_size, len(labels))
    batches: tuple[Tensor, ...] = places.to(labels.device).split(size)
    return batches[: state.steps]


def _step(state: TuningState, session: Session, places: Tensor, tally: ClassTally) -> None:
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


def _finish_epoch(state: TuningState, session: Session, tally: ClassTally) -> TunedEpoch:
    """Close the epoch in ``state``, look at validation, and say how it went."""
    _require_finite(state, tally)
    _require_better_than_chance(state, session, tally)
    state.epoch, state.step = state.epoch + 1, 0
    look = _look(state, session)
    state.seconds = session.clock.seconds
    return TunedEpoch(
        epoch=state.epoch,
        epochs=state.epochs,
        train_loss=float(tally.loss / tally.seen.sum()),
        train_top1=float(tally.right.sum() / tally.seen.sum()),
        val_loss=look.loss,
        val_top1=look.top1,
        val_balanced=look.balanced,
        is_best=state.best is not None and state.best.epoch == state.epoch,
        lr=session.optimizer.param_groups[0]["lr"],
        seconds=state.seconds,
    )


def _require_better_than_chance(state: TuningState, session: Session, tally: ClassTally) -> None:
    """Where classes are made to count alike, they do here too: naming one of them is then chance."""
    steps = state.epoch * state.steps + state.step
    architecture, lr = state.network.model.architecture, state.config.lr
    images, largest = int(tally.seen.sum()), float(tally.seen.max() / tally.seen.sum())
    top1 = float(tally.right.sum() / images)
    recalls = tally.recalls
    if session.remedy != "none" and len(recalls) > 1:
        images, largest, top1 = len(recalls) * int(tally.seen.min()), 1 / len(recalls), float(recalls.mean())
    if len(recalls) > 1:
        require_better_than_chance(top1, images, largest, steps, architecture, lr)


def _require_finite(state: TuningState, tally: ClassTally) -> None:
    require_finite(float(tally.loss), state.network.model.architecture, state.config.lr)


class _Look(NamedTuple):
    """What validation says."""

    loss: float
    top1: float
    balanced: float


def _look(state: TuningState, session: Session) -> _Look:
    """Look at validation, and keep the weights in ``state`` where they are the best so far."""
    part = cast(TrainablePart, session.average.module)
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
