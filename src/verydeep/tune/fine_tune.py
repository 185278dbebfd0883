"""Ways that train the network itself, from the learned head or from nothing, each on the same images."""

import time
from dataclasses import dataclass, replace

from jaxtyping import Int64
from lightning_fabric import Fabric
from torch import Tensor

from verydeep.data.images import Images
from verydeep.data.samples import Samples
from verydeep.data.split import grouped_split
from verydeep.data.split_file import indices_of
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.device import choose_precision
from verydeep.train.epoch_result import TunedEpoch
from verydeep.train.speed import Plan
from verydeep.train.transfer import fine_tune
from verydeep.train.tuning import FineTuneConfig, TuningState, fresh, scratch_config
from verydeep.tune.prepare import Task
from verydeep.tune.result import Way

VALIDATION = 0.2
"""The share of training images that ways are compared on, where no val folder was given."""


def hold_out(samples: Samples, seed: int) -> tuple[Int64[Tensor, " learn"], Int64[Tensor, " val"]]:
    """Places to learn from, and places to compare by: the owner's val images, or a part of train.

    Raises:
        DataError: where no image can be held out.
    """
    train, val = indices_of(samples, "train"), indices_of(samples, "val")
    if len(val):
        return train, val
    images = samples.select(train)
    learn, val = grouped_split(images.labels, images.groups, VALIDATION, seed)
    return train[learn], train[val]


@dataclass(frozen=True, kw_only=True)
class Deeper:
    """A network that was trained, and what it says of the images held out."""

    way: Way
    network: Checkpoint
    epochs: tuple[TunedEpoch, ...]
    best_epoch: int
    """0 where none was better than what training began with."""
    seconds: float


def fabric_for(task: Task) -> Fabric:
    """The device and the precision that suits it."""
    precision = choose_precision("auto", task.device)
    return Fabric(accelerator=task.device.type, devices=1, precision=precision)


def fine_tune_config(task: Task) -> FineTuneConfig:
    """How a trained network is trained on, as far as the task says."""
    return FineTuneConfig(balance=task.settings.balance, seed=task.settings.seed)


def train_on(task: Task, begun: Checkpoint, learn: Images, val: Images, plan: Plan, seconds: float) -> Deeper:
    """The network of ``begun``, whose head fits already, trained on by ``plan`` for ``seconds`` at most."""
    config = replace(fine_tune_config(task), stages=plan.stages, epochs=plan.epochs)
    return _trained(task, "full", begun, config, learn, val, seconds)


def train_anew(task: Task, like: Checkpoint, learn: Images, val: Images, seconds: float) -> Deeper:
    """A network such as ``like`` with new weights, trained for at most ``seconds``."""
    network = fresh(like, task.settings.seed)
    network = replace(network, model=network.model.to(task.device))
    config = scratch_config(
        network.model.architecture, balance=task.settings.balance, seed=task.settings.seed
    )
    return _trained(task, "from-scratch", network, config, learn, val, seconds)


def _trained(
    task: Task,
    way: Way,
    network: Checkpoint,
    config: FineTuneConfig,
    learn: Images,
    val: Images,
    seconds: float,
) -> Deeper:
    began = time.perf_counter()
    state = TuningState(network, config)
    epochs = []
    task.watcher.begins(way, len(learn), len(val), seconds)
    for epoch in fine_tune(
        state, learn, val, fabric_for(task), deadline_s=seconds, after_step=task.watcher.stepped
    ):
        epochs.append(epoch)
        task.watcher.finished_epoch(epoch)
    return Deeper(
        way=way,
        network=state.kept(),
        epochs=tuple(epochs),
        best_epoch=state.best.epoch if state.best else 0,
        seconds=time.perf_counter() - began,
    )
