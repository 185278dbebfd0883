"""What of training the network itself the data and the budget allow: forecast from one measured time."""

import math
import time
from dataclasses import dataclass

import torch

from verydeep.analyze.stages import stage_macs
from verydeep.spec.arch import Architecture
from verydeep.train.tuning import FineTuneConfig
from verydeep.weights.checkpoint import Checkpoint

FEW = 500
"""Training images below which only the head is learnt unless more is asked for; then the last stage alone."""
LEAST_EPOCHS, GOOD_EPOCHS = 5, 10
"""Of fine-tuning: what is worth to begin, and what more stages than one must leave time for."""
BACKWARD = 2.0
"""A backward pass costs two forward ones: a gradient for the maps, one for the weights."""
STEADY = 1.3
"""How much longer training takes than its multiply-adds say: augmentation, optimizer, validation."""
BATCH = 16


@dataclass(frozen=True)
class Work:
    """How many images a fine-tuning sees, and how long the whole network takes for one, forward."""

    learn: int
    val: int
    image_seconds: float


def forecast_seconds(architecture: Architecture, stages: int | None, epochs: int, work: Work) -> float:
    """The time that ``epochs`` of training the last ``stages`` take, the maps below them computed once."""
    costs = stage_macs(architecture)
    count = len(costs) - 1 if stages is None else stages
    above = sum(costs[len(costs) - 1 - count :]) / sum(costs)
    views = 2 * work.learn + work.val if above < 1 else 0  # training images are mapped mirrored too
    an_epoch = (1 + BACKWARD) * work.learn + work.val
    passes = views * (1 - above) + epochs * an_epoch * above * STEADY
    return passes * work.image_seconds


@dataclass(frozen=True)
class Plan:
    """A fine-tuning that is worth to begin."""

    stages: int | None
    """All where None."""
    seconds: float
    """That it may take; the rate has fallen to nothing by then."""


@dataclass(frozen=True)
class Refusal:
    """Why none is begun, in plain words, and what it would take."""

    why: str
    seconds: float | None = None


def plan_fine_tuning(
    architecture: Architecture, work: Work, left: float, budget: float, *, forced: bool
) -> Plan | Refusal:
    """How to train the network on in ``left`` seconds of a ``budget``, or why not.

    Args:
        architecture: the network.
        work: what there is to see.
        left: seconds.
        budget: all that were given, for the words.
        forced: it was asked for: begun in any case, with at least the time for a few epochs.
    """
    if work.learn < FEW and not forced:
        return Refusal(
            f"{work.learn:,} training images are too few to train the network itself by; --full does so "
            "all the same"
        )
    stages = len(stage_macs(architecture)) - 1
    choices = [None, *(count for count in (2, 1) if count < stages)] if work.learn >= FEW else [1]
    full = FineTuneConfig().course_epochs(work.learn)
    for count in choices:
        if forecast_seconds(architecture, count, GOOD_EPOCHS, work) <= left:
            return Plan(count, min(left, 1.5 * forecast_seconds(architecture, count, full, work)))
    least = forecast_seconds(architecture, choices[-1], LEAST_EPOCHS, work)
    if forced or least <= left:
        return Plan(choices[-1], max(left, least))
    good = forecast_seconds(architecture, choices[-1], GOOD_EPOCHS, work)
    needed = math.ceil((budget - left + good) / 60)
    return Refusal(
        f"fine-tuning the last stage would take {in_words(good)} here, and {in_words(left)} of the budget "
        f"are left: --budget {needed}m",
        good,
    )


def in_words(seconds: float) -> str:
    """A length of time as one says it: 40 seconds, 14 minutes."""
    if seconds < 90:
        return f"{max(0, round(seconds))} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def image_seconds(network: Checkpoint) -> float:
    """How long the network takes for an image, forward, in batches of 16: the second of two, timed."""
    parameter = next(network.model.parameters())
    images = torch.zeros((BATCH, *network.model.architecture.input), device=parameter.device)
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        float(network.model(images).sum())
        began = time.perf_counter()
        float(network.model(images).sum())  # reading the number waits for the device
    return (time.perf_counter() - began) / BATCH
