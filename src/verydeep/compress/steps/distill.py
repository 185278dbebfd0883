"""The step ``distill``: a narrowed network is trained on the logits of the original (Hinton et al. 2015).

The original runs once over the training images, and once over their mirror images where training flipped
them; its logits are kept, so that an epoch costs no more than one of ordinary training. Labels, where they
are known, are learned too: then the narrowed network may become better than the original.
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
from verydeep.train.optimizer.schedule import ScheduleConfig, rate_factor

EPOCHS = 8
"""As many as pay: docs/log.md has 3, 8 and 16."""
BATCH_SIZE = 125
FORECAST_IMAGES = 2 * BATCH_SIZE
"""Images of the two steps by which an epoch is forecast."""
LEARNING_RATE = 2e-3
"""Of AdamW, at its peak: folded weights have other scales than those that Muon or SGD with norms expect."""
SCHEDULE = ScheduleConfig(name="one-cycle", warmup=0.1, start=0.01)
TEMPERATURE = 4.0
"""Divides the logits of both networks, so that the small probabilities of the original count too."""
LABEL_SMOOTHING = 0.1


@dataclass(frozen=True)
class Teacher:
    """What the narrowed network is to say of each training image."""

    logits: Float32[Tensor, "count classes"]
    """Of the original; where training flips, the mean of those of the image and its mirror image."""
    labels: Int64[Tensor, " count"] | None
    """None where they are unknown."""
    flips: bool
    """Whether training mirrors images."""

    def at_most(self, count: int) -> "Teacher":
        """For the first ``count`` images."""
        labels = None if self.labels is None else self.labels[:count]
        return replace(self, logits=self.logits[:count], labels=labels)


def read_teacher(
    original: Checkpoint,
    calibration: Calibration,
    labels: Int64[Tensor, " count"] | None = None,
    *,
    flips: bool,
) -> Teacher:
    """The logits of ``original`` for the images of ``calibration``, with ``flips`` of both views."""
    logits = predict_logits(original.model, calibration.pixels, original.preprocess)
    if flips:
        mirrored = predict_logits(original.model, calibration.pixels.flip(3), original.preprocess)
        logits = (logits + mirrored) / 2
    return Teacher(logits, labels, flips)


def distill(checkpoint: Checkpoint, calibration: Calibration, teacher: Teacher, epochs: int) -> StepResult:
    """``checkpoint`` trained on what ``teacher`` says, for ``epochs``; as a step, with both bound before.

    AdamW, with a learning rate that rises for a tenth of the steps and falls along a cosine. Dropout is off,
    and batch norms would keep their statistics: fold them first.

    Args:
        checkpoint: a narrowed network.
        calibration: the images that the teacher saw; its seed decides their order.
        teacher: of these images.
        epochs: passes over the images.
    """
    model = deepcopy(checkpoint.model).eval()
    convert_conv2d_weight_memory_format(model, torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.0)
    total = epochs * math.ceil(len(calibration) / BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(SCHEDULE, step / total))
    for pixels, indices in _batches(calibration, epochs, flips=teacher.flips):
        optimizer.zero_grad()
        _loss(_logits(model, checkpoint, pixels), teacher, indices).backward()
        optimizer.step()
        schedule.step()
    model.zero_grad()
    convert_conv2d_weight_memory_format(model, torch.contiguous_format)
    labels = "" if teacher.labels is None else " and the labels"
    done = f"{epochs} epochs on the logits of the original{labels}"
    return StepResult(replace(checkpoint, model=model), done)


def seconds_an_epoch(checkpoint: Checkpoint, calibration: Calibration, teacher: Teacher) -> float:
    """A forecast by two steps; ``checkpoint`` stays as it is."""
    some = replace(calibration, pixels=calibration.pixels[:FORECAST_IMAGES])
    few = teacher.at_most(len(some))
    distill(checkpoint, some, few, 1)  # the first steps take longer
    start = time.perf_counter()
    distill(checkpoint, some, few, 1)
    return (time.perf_counter() - start) * len(calibration) / len(some)


def _batches(
    calibration: Calibration, epochs: int, *, flips: bool
) -> Iterator[tuple[UInt8[Tensor, "batch channels size size"], Int64[Tensor, " batch"]]]:
    """Images, some of them mirrored, and their indices."""
    for epoch in range(epochs):
        for indices in order(len(calibration), epoch, calibration.seed).split(BATCH_SIZE):
            pixels = calibration.pixels[indices]
            if flips:
                is_flipped = flip_mask(indices, epoch, "alternating", generator(calibration.seed, epoch))
                pixels = torch.where(is_flipped[:, None, None, None], pixels.flip(3), pixels)
            yield pixels, indices


def _logits(
    model: Classifier, checkpoint: Checkpoint, pixels: UInt8[Tensor, "batch channels size size"]
) -> Float32[Tensor, "batch classes"]:
    images = to_channels_last(normalize(pixels, checkpoint.preprocess))
    with torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16()):
        logits: Tensor = model(images)
    return logits.float()


def _loss(
    logits: Float32[Tensor, "batch classes"], teacher: Teacher, indices: Int64[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """The Kullback-Leibler divergence at ``TEMPERATURE``, times its square (Hinton et al. 2015, section 2).

    The cross-entropy of the labels is added.
    """
    logs = (logits / TEMPERATURE).log_softmax(1)
    targets = (teacher.logits[indices] / TEMPERATURE).log_softmax(1)
    loss = TEMPERATURE**2 * functional.kl_div(logs, targets, reduction="batchmean", log_target=True)
    if teacher.labels is None:
        return loss
    return loss + functional.cross_entropy(logits, teacher.labels[indices], label_smoothing=LABEL_SMOOTHING)
