"""The time budget: a forecast of training, from exact multiply-adds and the measured speed of this machine.

It decides how many stages fine-tuning trains and for how many epochs, or says in words why it is skipped.
"""

import math
import time
from dataclasses import dataclass, replace
from math import inf

import torch
from lightning_fabric import Fabric
from torch.nn.utils import convert_conv2d_weight_memory_format

from verydeep.analyze.stage_cost import stage_macs
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Head
from verydeep.inputs.augmented_batch import to_channels_last
from verydeep.machine import InferencePrecision
from verydeep.models.build import build
from verydeep.models.classifier import Classifier
from verydeep.number_format import duration
from verydeep.train.recipe import Recipe
from verydeep.train.run import fabric_on
from verydeep.tune.feature_cache import BATCH_PIXELS

STEP_COST = 6
"""Forward passes that a training step costs. By operations it is three, one forward and two backward;
measured it is 5.9 for the last stage of VGG16 and 5.5 for the last two: 32 images of 96 px, bf16, one CPU
thread."""
LEAST_EPOCHS = 5
"""Fewer are not worth starting: the learning rate must rise and fall."""
LEAST_SCRATCH_EPOCHS = 3
"""Of training from scratch: the least that shows anything."""
SPEED_SECONDS = 1.0
"""Of forward passes by which the speed is measured."""
GREATEST_BATCH = 32
"""Images of a measured batch."""
SLACK = 1.25
"""Training may take so many times its forecast, if there is time, before its epochs are cut down."""
STARTUP = 5.0
"""Seconds that no forecast by MACs has: the first step, opening files. They decide for tiny networks."""


@dataclass(frozen=True)
class Work:
    """The images that a training reads, and the speed of the network in a forward pass."""

    train: int
    val: int
    macs_per_second: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A training that fits the time."""

    freeze: int
    """The first stages that stay frozen."""
    epochs: int
    seconds: float
    """The forecast for all of it, feature maps and validation included, without early stopping."""

    def limit(self, left: float) -> float:
        """The seconds after which its epochs are cut down, where ``left`` are left of the budget."""
        return inf if left == inf else max(self.seconds, min(left, SLACK * self.seconds + STARTUP))


@dataclass(frozen=True)
class Skipped:
    """The reason why fine-tuning is not started, and the seconds that it would take."""

    reason: str
    seconds: float | None = None


def plan_fine_tuning(
    recipe: Recipe, architecture: Architecture, work: Work, left: float, budget: float, kept: float = 0.0
) -> Plan | Skipped:
    """The most stages, for all epochs of ``recipe``, that ``left`` seconds of the ``budget`` allow.

    Where not even the last stage can be trained for all epochs, it is trained for fewer, ``LEAST_EPOCHS`` at
    least.

    Args:
        recipe: of fine-tuning; ``freeze`` is decided here where it is auto.
        architecture: with images of the size that it is trained on.
        work: the images and the speed.
        left: seconds for all of it.
        budget: seconds, for the message.
        kept: seconds of it whose results are in the cache: another run does not need them again.
    """
    for freeze in _choices(recipe, architecture):
        plan = _plan(recipe, architecture, work, freeze, recipe.planned_epochs(work.train))
        if plan.seconds <= left:
            return plan
    once, per_epoch = _seconds(recipe, architecture, work, plan.freeze)
    epochs = int((left - once) // per_epoch)
    least = least_plan(recipe, architecture, work)
    if epochs >= least.epochs:
        return _plan(recipe, architecture, work, plan.freeze, epochs)
    needed = math.ceil((budget - left - kept + least.seconds) / 60)
    return Skipped(
        f"fine-tuning the last stage would take {duration(least.seconds)} here, and of the budget of "
        f"{duration(budget)} {duration(max(0.0, left))} were left; --budget {needed}m allows it"
        + (", as features are in the cache now" if kept >= 60 else ""),
        least.seconds,
    )


def least_plan(recipe: Recipe, architecture: Architecture, work: Work) -> Plan:
    """The shortest training that is worth starting, however long it takes."""
    freeze = _choices(recipe, architecture)[-1]
    return _plan(recipe, architecture, work, freeze, min(LEAST_EPOCHS, recipe.planned_epochs(work.train)))


def least_scratch_seconds(architecture: Architecture, work: Work) -> float:
    """The forecast of the shortest training from scratch that is worth starting."""
    images = LEAST_SCRATCH_EPOCHS * (STEP_COST * work.train + work.val)
    return images * sum(stage_macs(architecture)) / work.macs_per_second


def _choices(recipe: Recipe, architecture: Architecture) -> range:
    """How many stages may stay frozen, the fewest first."""
    stages = len(stage_macs(architecture)) - 1
    match recipe.freeze:
        case "auto":
            return range(stages)
        case "all":
            return range(stages, stages + 1)
        case freeze:
            return range(freeze, freeze + 1)


def _plan(recipe: Recipe, architecture: Architecture, work: Work, freeze: int, epochs: int) -> Plan:
    once, per_epoch = _seconds(recipe, architecture, work, freeze)
    return Plan(freeze=freeze, epochs=epochs, seconds=once + epochs * per_epoch)


def _seconds(recipe: Recipe, architecture: Architecture, work: Work, freeze: int) -> tuple[float, float]:
    """The forecast of what is done once, and of each epoch."""
    macs = stage_macs(architecture)
    frozen, trained = sum(macs[:freeze]), sum(macs[freeze:])
    views = 1 if recipe.augment.flip == "none" else 2  # feature maps of each image, and of its mirror image
    validation = work.val * trained
    once = (views * work.train + work.val) * frozen + validation
    per_epoch = work.train * STEP_COST * trained + validation
    return once / work.macs_per_second, per_epoch / work.macs_per_second


def extraction_seconds(network: str, size: int, device: torch.device, precision: InferencePrecision) -> float:
    """The seconds for the features of one image, measured with random weights.

    Args:
        network: its name in the zoo.
        size: of the images in px.
        device: that computes.
        precision: of the features.
    """
    architecture = replace(zoo.resolve(network), head=Head()).with_classes(2).with_input(3, size)
    model = build(architecture).to(device)
    convert_conv2d_weight_memory_format(model, torch.channels_last)
    return sum(stage_macs(architecture)) / measured_speed(model, fabric_on(device, precision))


def measured_speed(model: Classifier, fabric: Fabric) -> float:
    """Multiply-adds per second of a forward pass of ``model``, in the precision of ``fabric``.

    The mean over batches of the network's image size, for a second at least: on a busy machine, one batch may
    take twice the time of another. A first batch, which warms up, is not counted.
    """
    architecture = model.architecture
    batch_size = max(1, min(GREATEST_BATCH, BATCH_PIXELS // math.prod(architecture.input[1:])))
    # Not zeros: max pooling is faster on equal pixels than on those of images.
    pixels = torch.randn(batch_size, *architecture.input, generator=torch.Generator().manual_seed(0))
    images = to_channels_last(pixels.to(fabric.device))
    model.eval()
    batches, elapsed = -1, 0.0
    with torch.no_grad(), fabric.autocast():
        while batches < 1 or elapsed < SPEED_SECONDS:
            began = time.perf_counter()
            float(model(images).sum())  # waits for the device
            batches += 1
            elapsed = elapsed + time.perf_counter() - began if batches else 0.0
    return batches * batch_size * sum(stage_macs(architecture)) / elapsed
