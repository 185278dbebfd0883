"""The step ``distill``: a narrowed network is trained to give the logits of the original (Hinton 2015).

No labels are needed. The original runs once over the training images, and once over their mirror images where
training flipped them; its logits are kept, so that an epoch costs no more than one of ordinary training.
"""

import math
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import convert_conv2d_weight_memory_format

from verydeep.compress.calibration import Calibration, StepResult
from verydeep.data.augmentation.augment import flip_mask
from verydeep.data.batches import generator, order
from verydeep.data.normalize import normalize
from verydeep.inputs.augmented_batch import to_channels_last
from verydeep.machine import computes_bf16
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.models.logits import predict_logits

EPOCHS = 3
BATCH_SIZE = 125
LEARNING_RATE = 2e-3
"""Of AdamW, at its peak: folded weights have other scales than those that Muon or SGD with norms expect."""
WARMUP = 0.1
TEMPERATURE = 4.0
"""Divides the logits of both networks, so that the small probabilities of the original count too."""


@dataclass(frozen=True)
class Teacher:
    """The logits of the original for all training images."""

    logits: Float32[Tensor, "count classes"]
    mirrored: Float32[Tensor, "count classes"] | None
    """For the mirror images; None where training does not flip."""


def read_teacher(original: Checkpoint, calibration: Calibration, *, flips: bool) -> Teacher:
    """The logits of ``original`` for the images of ``calibration``, with ``flips`` for mirror images too."""
    preprocess = original.preprocess
    logits = predict_logits(original.model, calibration.pixels, preprocess)
    mirrored = predict_logits(original.model, calibration.pixels.flip(3), preprocess) if flips else None
    return Teacher(logits, mirrored)


def distill(checkpoint: Checkpoint, calibration: Calibration, teacher: Teacher, epochs: int) -> StepResult:
    """``checkpoint`` trained on the logits of ``teacher`` for ``epochs``; as a step, with both bound before.

    AdamW, with a learning rate that rises for a tenth of the steps and falls along a cosine. Dropout is off,
    and batch norms would keep their statistics: fold them first.

    Args:
        checkpoint: a narrowed network.
        calibration: the images that the teacher saw; its seed decides their order.
        teacher: the logits of the original.
        epochs: passes over the images.
    """
    model = deepcopy(checkpoint.model).eval()
    convert_conv2d_weight_memory_format(model, torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.0)
    total = epochs * math.ceil(len(calibration) / BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / total))
    for pixels, wanted in _batches(calibration, teacher, epochs):
        optimizer.zero_grad()
        _loss(model, checkpoint, pixels, wanted).backward()
        optimizer.step()
        schedule.step()
    model.zero_grad()
    convert_conv2d_weight_memory_format(model, torch.contiguous_format)
    done = f"{epochs} epochs on the logits of the original"
    return StepResult(replace(checkpoint, model=model), done)


def seconds_an_epoch(checkpoint: Checkpoint, calibration: Calibration, teacher: Teacher) -> float:
    """A forecast by two steps; ``checkpoint`` stays as it is."""
    some = calibration.at_most(2 * BATCH_SIZE)
    few = Teacher(teacher.logits[: len(some)], None)
    distill(checkpoint, some, few, 1)  # the first steps take longer
    start = time.perf_counter()
    distill(checkpoint, some, few, 1)
    return (time.perf_counter() - start) * len(calibration) / len(some)


def _rate(progress: float) -> float:
    """The share of the peak learning rate."""
    if progress < WARMUP:
        return (progress + 1e-3) / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP)))


def _batches(
    calibration: Calibration, teacher: Teacher, epochs: int
) -> Iterator[tuple[UInt8[Tensor, "batch channels size size"], Float32[Tensor, "batch classes"]]]:
    """Images, some of them mirrored, and the logits of the original for them."""
    for epoch in range(epochs):
        for indices in order(len(calibration), epoch, calibration.seed).split(BATCH_SIZE):
            yield _batch(calibration, teacher, indices, epoch)


def _batch(
    calibration: Calibration, teacher: Teacher, indices: Int64[Tensor, " batch"], epoch: int
) -> tuple[UInt8[Tensor, "batch channels size size"], Float32[Tensor, "batch classes"]]:
    pixels, wanted = calibration.pixels[indices], teacher.logits[indices]
    if teacher.mirrored is None:
        return pixels, wanted
    is_flipped = flip_mask(indices, epoch, "alternating", generator(calibration.seed, epoch))
    pixels = torch.where(is_flipped[:, None, None, None], pixels.flip(3), pixels)
    return pixels, torch.where(is_flipped[:, None], teacher.mirrored[indices], wanted)


def _loss(
    model: Classifier,
    checkpoint: Checkpoint,
    pixels: UInt8[Tensor, "batch channels size size"],
    wanted: Float32[Tensor, "batch classes"],
) -> Float[Tensor, ""]:
    """The Kullback-Leibler divergence at ``TEMPERATURE``, times its square (Hinton 2015, section 2)."""
    images = to_channels_last(normalize(pixels, checkpoint.preprocess))
    with torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16()):
        logits = model(images)
    logs = (logits.float() / TEMPERATURE).log_softmax(1)
    targets = (wanted / TEMPERATURE).log_softmax(1)
    return TEMPERATURE**2 * functional.kl_div(logs, targets, reduction="batchmean", log_target=True)
