"""The training loop: plain PyTorch order on Lightning Fabric, one ``EpochResult`` per epoch.

Training from scratch and fine-tuning are this one loop: fine-tuning begins with a trained network, may have
frozen stages (the loop then runs on the part above them), and learning rates by stage.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from math import inf
from typing import NamedTuple, cast

import torch
from jaxtyping import Float32
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from verydeep.data.batches import order
from verydeep.decoding.batch_size import auto_batch_size
from verydeep.evaluate.metrics import accuracy, balanced_accuracy
from verydeep.inputs.batch_source import BatchSource, Plan, TrainingBatch, TrainingInputs
from verydeep.inputs.share import WHOLE, Share
from verydeep.train.balance import resolve_balance
from verydeep.train.class_imbalance import balanced_criterion, balanced_order
from verydeep.train.divergence import (
    margin_of_accuracy,
    margin_of_balanced_accuracy,
    require_better_than_chance,
    require_finite,
    require_finite_weights,
)
from verydeep.train.early_stopping import BestEpoch, should_stop_early
from verydeep.train.epoch_result import EpochClock, EpochResult
from verydeep.train.optimizer.build import set_rate
from verydeep.train.optimizer.schedule import rate_factor
from verydeep.train.parallel.collectives import agreed, by_first, logits_by_rank, take_buffers_of_first
from verydeep.train.parallel.hybrid import clip_gradients, join, split
from verydeep.train.parallel.ranks import share_of_rank
from verydeep.train.recipe import Recipe
from verydeep.train.slices import BatchPosition, Forward, backward_in_slices
from verydeep.train.state import EpochTally, TrainingState

STEPS_BETWEEN_CHECKS = 50
"""Steps between two checks of the loss: each check waits for the device."""

AfterStep = Callable[[TrainingState], None]


def fit(
    state: TrainingState,
    recipe: Recipe,
    inputs: TrainingInputs,
    fabric: Fabric,
    after_step: AfterStep = lambda state: None,
    deadline: float = inf,
    least_epochs: int = 0,
) -> Iterator[EpochResult]:
    """Train ``state`` from where it is to the end of ``recipe``, one result per epoch.

    Between two results, and within ``after_step``, ``state`` is complete: it may be saved, and a run that
    goes on from what was saved ends on a CPU with the same bits as one that never stopped.

    Args:
        state: the network, its optimizers, and how far training has come.
        recipe: the training configuration.
        inputs: training and validation images.
        fabric: device and precision.
        after_step: called after each step; what it raises ends training. With hybrid parallelism, ``join``
            makes the state complete there.
        deadline: when to end, by ``time.perf_counter``: fewer epochs are made where the planned ones would
            not be done by then, and the epoch that is under way ends early. Only then do results depend on
            the clock, which is that of the first rank.
        least_epochs: that are made whatever the deadline.

    Raises:
        LearningError: where the loss or a weight is not finite, or accuracy stays at chance.
    """
    sizes = class_sizes(inputs.train)
    method = resolve_balance(sizes.tolist(), recipe.balance)
    criterion = balanced_criterion(sizes, method, recipe.label_smoothing)
    share, labels = share_of_rank(recipe.slices), inputs.train.labels
    if recipe.keep == "best" and state.best is None:
        _validate(state, recipe, inputs)  # epoch 0: the network as training starts
    _set_training_mode(state, recipe, inputs)  # before the slices copy the part
    exchanged = torch.bfloat16 if recipe.gradients == "bf16" else torch.float32
    with backward_in_slices(
        state.part, recipe.slices, criterion, fabric, compiled=recipe.compile, exchanged=exchanged
    ) as backward:
        steppers = [cast(Optimizer, fabric.setup_optimizers(optimizer)) for optimizer in state.optimizers]
        while not _is_finished(state, recipe) and not _is_over(state, deadline, least_epochs):
            _set_training_mode(state, recipe, inputs)
            split(state)
            epoch_began = began = time.perf_counter()
            clock = EpochClock(state.seconds)
            for indices, batch in clock.timed(_rest_of_epoch(state, recipe, inputs.train, share)):
                set_rate(state.optimizers, _rate_factor(state, recipe, len(labels)))
                position = BatchPosition(len(indices), recipe.seed, state.epoch, state.step)
                forward = backward(*batch, position)
                if recipe.optimizer.clip_norm:
                    clip_gradients(state.part, recipe.optimizer.clip_norm)
                for stepper in steppers:
                    stepper.step()
                    stepper.zero_grad()
                _count(state, forward, indices, labels[indices])
                state.seconds += time.perf_counter() - began
                after_step(state)
                began = time.perf_counter()
                if _is_over(state, deadline, least_epochs):
                    break
            join(state)
            result = _finish_epoch(state, recipe, inputs, is_balanced=method != "none")
            following = recipe.steps_of_epoch(len(labels), state.epoch)
            steps = recipe.steps_of_epoch(len(labels), state.epoch - 1)
            epoch_seconds = (time.perf_counter() - epoch_began) * following / steps
            _keep_deadline(state, deadline, epoch_seconds, least_epochs)
            yield clock.added_to(replace(result, epochs=state.epochs))


def _is_over(state: TrainingState, deadline: float, least_epochs: int) -> bool:
    """Whether the deadline has passed on any rank, after the epochs that are made whatever it is."""
    return deadline < inf and state.epoch >= least_epochs and agreed(time.perf_counter() > deadline)


def class_sizes(source: BatchSource) -> Tensor:
    """Images of each class, on the CPU."""
    return source.labels.cpu().bincount(minlength=source.classes)


def _is_finished(state: TrainingState, recipe: Recipe) -> bool:
    return (
        state.epoch >= state.epochs
        or state.plateau.is_over(recipe.schedule)
        or should_stop_early(state.best, state.epoch, recipe.early_stopping)
    )


def _keep_deadline(state: TrainingState, deadline: float, epoch_seconds: float, least_epochs: int) -> None:
    """Plan only as many epochs as are done by the deadline, so that the learning rate falls to its end."""
    left = deadline - time.perf_counter()
    if left < (state.epochs - state.epoch) * epoch_seconds:
        in_time = state.epoch + max(0, int(left / epoch_seconds))
        state.epochs = min(state.epochs, max(in_time, least_epochs))
    if deadline < inf:
        state.epochs = by_first(lambda: state.epochs)  # whose clock decides


def _set_training_mode(state: TrainingState, recipe: Recipe, inputs: TrainingInputs) -> None:
    """Training mode; batch norm stays in evaluation mode where its statistics are frozen."""
    state.part.train()
    if recipe.freezes_batch_norm(len(inputs.train.labels)):
        for module in state.part.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def _rest_of_epoch(
    state: TrainingState, recipe: Recipe, source: BatchSource, share: Share
) -> Iterator[tuple[Tensor, TrainingBatch]]:
    """The batches of the current epoch that are still to come, with the indices of their images."""
    labels, size = source.labels, min(recipe.batch_size, len(source.labels))
    if recipe.balance == "sampler":
        indices = balanced_order(labels, state.epoch, recipe.seed)
    else:
        indices = order(len(labels), state.epoch, recipe.seed)
    steps = recipe.steps_of_epoch(len(labels), state.epoch)
    if state.losses is not None and state.epoch > 0:
        indices = state.losses.hardest(indices, steps * size)
    batches: tuple[Tensor, ...] = indices.to(labels.device).split(size)
    plan = batches[state.step : steps]
    with closing(source.batches(plan, state.epoch, state.step, share)) as made:
        yield from zip(plan, made, strict=True)


def _rate_factor(state: TrainingState, recipe: Recipe, images: int) -> float:
    steps = recipe.steps_before(images, state.epoch) + state.step
    done = steps / recipe.steps_before(images, state.epochs)
    return rate_factor(recipe.schedule, min(done, 1.0)) * state.plateau.factor(recipe.schedule)


@torch.no_grad()
def _count(state: TrainingState, forward: Forward, indices: Tensor, labels: Tensor) -> None:
    """Move everything but the weights on by one step."""
    if state.average is not None:
        state.average.update_parameters(state.part)
    state.tally.add(forward.loss, forward.predicted, labels)  # stays on the device: reading it would stall
    if state.losses is not None:
        state.losses.add(indices, forward.losses)
    state.step += 1
    if state.step % STEPS_BETWEEN_CHECKS == 0:
        _require_finite(state)


def _finish_epoch(
    state: TrainingState, recipe: Recipe, inputs: TrainingInputs, *, is_balanced: bool
) -> EpochResult:
    """Close the epoch in ``state`` and evaluate it."""
    began = time.perf_counter()
    _require_finite(state)  # waits for the device, so that the time is that of finished work
    state.seconds += time.perf_counter() - began
    require_finite_weights(state.evaluated_part.parameters(), state.model.architecture, _peak_rate(state))
    _require_better_than_chance(state, recipe, inputs, is_balanced=is_balanced)
    tally, state.tally = state.tally, EpochTally.zero(inputs.train.classes, state.tally.loss.device)
    state.epoch, state.step = state.epoch + 1, 0
    if state.losses is not None:
        state.losses.finish_epoch()
    measured = _validate(state, recipe, inputs)
    if measured.top1 is not None and recipe.schedule.name == "plateau":
        state.plateau = state.plateau.after(measured.top1, recipe.schedule)
    return EpochResult(
        epoch=state.epoch,
        epochs=state.epochs,
        train_loss=tally.mean_loss,
        train_top1=tally.top1,
        val_loss=measured.loss,
        val_top1=measured.top1,
        val_balanced_accuracy=measured.balanced_accuracy,
        is_best=state.best is not None and state.best.epoch == state.epoch,
        lr=state.optimizers[0].param_groups[0]["lr"],
        seconds=state.seconds,
    )


def _require_finite(state: TrainingState) -> None:
    require_finite(float(state.tally.loss), state.model.architecture, _peak_rate(state))


def _require_better_than_chance(
    state: TrainingState, recipe: Recipe, inputs: TrainingInputs, *, is_balanced: bool
) -> None:
    """Where the loss makes classes count the same, this does too: predicting one class is then chance.

    The hardest images are those that the network gets wrong: their accuracy says nothing about chance.
    """
    if state.losses is not None and state.epoch > 0:
        return
    steps = recipe.steps_before(len(inputs.train.labels), state.epoch) + state.step
    tally = state.tally
    sizes = [size for size in tally.images.tolist() if size]
    if len(sizes) < 2:
        return
    if is_balanced:
        top1, chance = float(tally.recalls.mean()), 1 / len(sizes)
        margin = margin_of_balanced_accuracy(sizes)
    else:
        top1, chance = tally.top1, max(sizes) / sum(sizes)
        margin = margin_of_accuracy(chance, sum(sizes))
    require_better_than_chance(top1, chance, margin, steps, state.model.architecture)


def _peak_rate(state: TrainingState) -> float:
    peak: float = state.optimizers[0].param_groups[0]["peak_lr"]
    return peak


class _Validation(NamedTuple):
    """Measures on validation images; None where there are none."""

    loss: float | None = None
    top1: float | None = None
    balanced_accuracy: float | None = None


def _validate(state: TrainingState, recipe: Recipe, inputs: TrainingInputs) -> _Validation:
    """Measure the network on the validation images; keep its weights in ``state`` where they are the best."""
    if inputs.val is None:
        return _Validation()
    take_buffers_of_first(state.evaluated_part)
    logits, labels = logits_of_source(state.evaluated_part, inputs.val), inputs.val.labels.cpu()
    loss, top1, balanced = by_first(lambda: _measures(logits, labels))  # processors round differently
    chooses = recipe.keep == "best" or recipe.early_stopping
    if chooses and (state.best is None or state.best.is_beaten_by(balanced, loss)):
        tensors = state.evaluated_part.state_dict()
        kept = {name: value.detach().clone() for name, value in tensors.items()}
        state.best = BestEpoch(epoch=state.epoch, balanced_accuracy=balanced, loss=loss, tensors=kept)
    return _Validation(loss, top1, balanced)


def _measures(logits: Tensor, labels: Tensor) -> tuple[float, float, float]:
    """Mean loss, accuracy and balanced accuracy."""
    loss = float(functional.cross_entropy(logits, labels))
    arrays = logits.numpy(), labels.numpy()
    return loss, accuracy(*arrays), balanced_accuracy(*arrays)


@torch.inference_mode()
def logits_of_source(part: nn.Module, source: BatchSource) -> Float32[Tensor, "count classes"]:
    """The logits of all images, in fp32, as the network is used; the part is left in evaluation mode."""
    part.eval()
    rows, columns = source.size

    def compute(plan: Plan) -> Iterator[Tensor]:
        return (part(batch.inputs.float()) for batch in source.batches(plan, 0, 0, WHOLE))

    return logits_by_rank(len(source.labels), source.classes, auto_batch_size(rows * columns), compute)
