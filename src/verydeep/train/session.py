"""What a fine-tuning takes along from its first step to its last: its parts, its clock, its counts."""

import math
import time
from dataclasses import dataclass
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from verydeep.data.images import Images
from verydeep.models.stages import TrainablePart
from verydeep.train.class_imbalance import BalanceMethod, balanced_criterion, resolve_balance
from verydeep.train.frozen_features import Inputs
from verydeep.train.optimizer import staged_adamw
from verydeep.train.slices import Criterion
from verydeep.train.tuning import FineTuneConfig, TuningState


class Clock:
    """How long it has been, and whether there is time left."""

    def __init__(self, deadline_s: float | None) -> None:
        self.began = self.training_from = time.perf_counter()
        self.end = math.inf if deadline_s is None else self.began + deadline_s

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self.began

    @property
    def is_over(self) -> bool:
        """Whether the time for training is up."""
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
class Session:
    """What stays the same from the first step to the last."""

    part: TrainablePart
    module: nn.Module
    """The part as the fabric runs it."""
    average: AveragedModel
    optimizer: Optimizer
    inputs: Inputs
    criterion: Criterion
    labels: Tensor
    """Of the training images."""
    val_labels: Tensor
    remedy: BalanceMethod
    """For classes of unlike sizes."""
    fabric: Fabric
    clock: Clock


def begin_session(
    state: TuningState,
    part: TrainablePart,
    inputs: Inputs,
    train: Images,
    val: Images,
    fabric: Fabric,
    clock: Clock,
) -> Session:
    """Everything that training ``part`` takes, from the state's settings and the images' classes."""
    config = state.config
    torch.manual_seed(config.seed)  # of dropout
    convert_conv2d_weight_memory_format(part, torch.channels_last)
    sizes = train.labels.cpu().bincount(minlength=len(train.classes))
    remedy = resolve_balance(sizes, config.balance)
    average = AveragedModel(
        part, multi_avg_fn=get_ema_multi_avg_fn(ema_decay(state.epochs * state.steps)), use_buffers=True
    )
    return Session(
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
        remedy=remedy,
        fabric=fabric,
        clock=clock,
    )


def rates(part: TrainablePart, config: FineTuneConfig) -> list[tuple[list[nn.Parameter], float]]:
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


def begin_training(part: nn.Module, *, keep_statistics: bool) -> None:
    """Put ``part`` in training mode; batch norm only if it is not to keep the statistics that it has."""
    part.train()
    for module in part.modules():
        if keep_statistics and isinstance(module, nn.BatchNorm2d):
            module.eval()


@dataclass
class ClassTally:
    """Sums over an epoch, kept on the device: reading them at every step would stall it."""

    loss: Tensor
    right: Tensor
    """Images of each class that were recognized."""
    seen: Tensor
    """Images of each class."""

    @classmethod
    def zero(cls, classes: int, device: torch.device) -> "ClassTally":
        """Nothing seen yet."""
        right, seen = torch.zeros(2, classes, dtype=torch.int64, device=device)
        return cls(torch.zeros((), device=device), right, seen)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count a batch of this mean loss."""
        self.loss += loss.detach() * len(labels)
        self.right.index_add_(0, labels, (logits.argmax(1) == labels).long())
        self.seen.index_add_(0, labels, torch.ones_like(labels))

    @property
    def recalls(self) -> Tensor:
        """The part of each class that was recognized, of the classes that were seen."""
        shown = self.seen > 0
        return self.right[shown] / self.seen[shown]
