"""How deep a fine-tuning may go in the time there is: exact multiply-adds, divided by a measured speed."""

import time
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric

from verydeep.analyze.stage_cost import stage_macs
from verydeep.architecture.architecture import Architecture
from verydeep.models.classifier import Classifier
from verydeep.train.loop import channels_last
from verydeep.train.tuning import FineTuneConfig

STEP = 6
"""Forward passes that a step costs. Counted it is three, one forward and two backward; measured it is 5.9 for
the last stage of VGG16 and 5.5 for the last two: 32 images of 96 px, in bf16, on one thread of a CPU."""
LEAST_EPOCHS = 5
"""Fewer are not worth beginning: the rate must rise and fall."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What there is time for."""

    stages: int
    """How many of the last stages are trained."""
    epochs: int
    seconds: float
    """What it is forecast to take, maps and validation included, if it does not stop early."""


def affordable(
    architecture: Architecture,
    images: int,
    val_images: int,
    seconds: float,
    macs_per_second: float,
    config: FineTuneConfig,
) -> Plan | None:
    """The most stages whose whole course fits into ``seconds``; None where none does.

    Where not even the last stage's whole course fits, it is cut short, to ``LEAST_EPOCHS`` at least.

    Args:
        architecture: with images of the size that it is trained on.
        images: to train on.
        val_images: to look at after each epoch.
        seconds: for all of it.
        macs_per_second: of a forward pass on this machine (``measured_speed``).
        config: for its epochs, its batch, and whether images are mirrored; its stages are not looked at.
    """
    wanted = config.course_epochs(images)
    views = 1 if config.augment.flip == "none" else 2
    deepest = len(stage_macs(architecture)) - 1
    for stages in range(deepest, 0, -1):
        fixed, epoch = _cost(architecture, stages, images, val_images, views)
        if fixed + wanted * epoch <= seconds * macs_per_second:
            return Plan(stages=stages, epochs=wanted, seconds=(fixed + wanted * epoch) / macs_per_second)
    epochs = int((seconds * macs_per_second - fixed) // epoch)  # of the last stage alone
    if epochs < min(LEAST_EPOCHS, wanted):
        return None
    return Plan(stages=1, epochs=epochs, seconds=(fixed + epochs * epoch) / macs_per_second)


def _cost(
    architecture: Architecture, stages: int, images: int, val_images: int, views: int
) -> tuple[int, int]:
    """Multiply-adds once, and in each epoch, where the last ``stages`` are trained."""
    macs = stage_macs(architecture)
    upper = sum(macs[len(macs) - 1 - stages :])
    lower = sum(macs) - upper
    each_look = val_images * upper
    return (views * images + val_images) * lower + each_look, images * STEP * upper + each_look


def measured_speed(model: Classifier, fabric: Fabric, batch_size: int = 32) -> float:
    """Multiply-adds a second of a forward pass of ``model`` on the device and in the precision of ``fabric``.

    Of one batch of its own size, after one that is not counted.
    """
    architecture = model.architecture
    images = channels_last(torch.zeros(batch_size, *architecture.input, device=fabric.device))
    was_training = model.training
    model.eval()
    with torch.no_grad(), fabric.autocast():
        for _ in range(2):
            began = time.perf_counter()
            float(model(images).sum())  # waits for the device
            seconds = time.perf_counter() - began
    model.train(was_training)
    return batch_size * sum(stage_macs(architecture)) / seconds
