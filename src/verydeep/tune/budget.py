"""What of training the network itself the data and the budget allow, and in plain words why not."""

import math
from dataclasses import dataclass

from verydeep.analyze.stage_cost import stage_macs
from verydeep.architecture.architecture import Architecture
from verydeep.train.speed import STEP, Plan, affordable
from verydeep.train.tuning import FineTuneConfig

FEW = 500
"""Training images below which the head alone is learned, unless more is asked for."""
SCRATCH_EPOCHS = 3
"""Of a network with new weights: the least that shows anything."""


@dataclass(frozen=True)
class Work:
    """How many images a training sees, and how fast the network goes through them, forward."""

    learn: int
    val: int
    macs_per_second: float


@dataclass(frozen=True)
class Refusal:
    """Why nothing is begun, and what it would take, in seconds."""

    why: str
    seconds: float | None = None


def plan_fine_tuning(
    architecture: Architecture, work: Work, left: float, budget: float, config: FineTuneConfig
) -> Plan | Refusal:
    """How deep to train in ``left`` seconds of a ``budget``, or why not at all."""
    if plan := affordable(architecture, work.learn, work.val, left, work.macs_per_second, config):
        return plan
    least = least_plan(architecture, work, config)
    needed = math.ceil((budget - left + least.seconds) / 60)
    return Refusal(
        f"fine-tuning the last stage would take {in_words(least.seconds)} here, and of the budget of "
        f"{in_words(budget)} {in_words(max(0.0, left))} were left: --budget {needed}m",
        least.seconds,
    )


def least_plan(architecture: Architecture, work: Work, config: FineTuneConfig) -> Plan:
    """The shortest training that is worth to begin, however long it takes."""
    seconds = 1.0
    while not (plan := affordable(architecture, work.learn, work.val, seconds, work.macs_per_second, config)):
        seconds *= 1.05
    return plan


def least_from_scratch(architecture: Architecture, work: Work) -> float:
    """Seconds without which training a network with new weights shows nothing."""
    images = SCRATCH_EPOCHS * (STEP * work.learn + work.val)
    return images * sum(stage_macs(architecture)) / work.macs_per_second


def in_words(seconds: float) -> str:
    """A length of time as one says it: 40 seconds, 14 minutes."""
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
