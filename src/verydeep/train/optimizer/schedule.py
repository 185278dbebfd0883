"""Learning rate schedules: a factor of the peak rate, as a function of the progress of training."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval, Le


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """The learning rate schedule; every factor is of the optimizer's ``lr``."""

    name: Literal["constant", "linear", "one-cycle", "step", "plateau"] = "one-cycle"
    """After the warmup, linear falls in a straight line and one-cycle along half a cosine; step divides at
    fixed parts of training, plateau where validation accuracy stalls."""
    warmup: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Part of training in which the rate rises first, in a straight line."""
    start: Annotated[float, Ge(0), Le(1)] = 0.0
    """Factor at the first step of the warmup."""
    end: Annotated[float, Ge(0), Le(1)] = 0.0
    """Factor at the end of linear and one-cycle."""
    milestones: tuple[Annotated[float, Interval(gt=0, lt=1)], ...] = (0.5, 0.75)
    """Parts of training, from 0 to 1, after which step divides the rate."""
    factor: Annotated[float, Interval(gt=0, lt=1)] = 0.1
    """The factor of step and plateau."""
    patience: Annotated[int, Gt(0)] = 4
    """Epochs without a better validation accuracy after which plateau divides the rate."""
    drops: Annotated[int, Gt(0)] = 3
    """How often plateau divides the rate; the next stall ends training (VGG, section 3.1: three times)."""


def rate_factor(config: ScheduleConfig, progress: float) -> float:
    """The factor of the peak rate when the part ``progress`` of all steps, in [0, 1), is done.

    For plateau the factor is 1 after the warmup, and ``Plateau`` divides it.
    """
    if progress < config.warmup:
        return config.start + (1 - config.start) * progress / config.warmup
    fallen = (progress - config.warmup) / (1 - config.warmup)
    match config.name:
        case "linear":
            return 1 + (config.end - 1) * fallen
        case "one-cycle":
            return config.end + (1 - config.end) * (1 + math.cos(math.pi * fallen)) / 2
        case "step":
            return config.factor ** sum(progress >= milestone for milestone in config.milestones)
        case "constant" | "plateau":
            return 1.0


@dataclass(frozen=True)
class Plateau:
    """The state of the plateau schedule between epochs."""

    best: float = -math.inf
    """The best validation accuracy so far."""
    stalled: int = 0
    """Epochs since it, or since the last division."""
    drops: int = 0
    """How often the rate was divided."""

    def after(self, accuracy: float, config: ScheduleConfig) -> "Plateau":
        """The state after another epoch with this validation accuracy."""
        if accuracy > self.best:
            return Plateau(accuracy, 0, self.drops)
        if self.stalled + 1 < config.patience:
            return Plateau(self.best, self.stalled + 1, self.drops)
        return Plateau(self.best, 0, self.drops + 1)

    def factor(self, config: ScheduleConfig) -> float:
        """The product of the divisions so far."""
        return config.factor**self.drops

    def is_over(self, config: ScheduleConfig) -> bool:
        """Whether validation has stalled again after the last division."""
        return self.drops > config.drops
