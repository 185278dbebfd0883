"""The forecast of feature extraction, from its first batches on this machine, and the image size that fits.

Feature extraction is the longest part of `verydeep tune` that always runs to its end. Its time is known after
a few seconds, and is compared with the time budget then, not at the end.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from verydeep.number_format import duration
from verydeep.train.start.pretrained import LEAST_SIZE, SIZE_STEP

LEAST_SECONDS = 3.0
"""Of batches that are timed before anything is forecast."""
FEATURE_SHARE = 0.8
"""Of the budget that is left; the rest is for the linear probe and the test."""
FP32_COST = 2.0
"""How much longer a network takes in fp32 than in bf16."""


class Pace:
    """How long one of many equal pieces takes, by the mean time of those that were done so far.

    The first report starts the clock: what comes before it, such as warming up, is not counted.

    Args:
        clock: seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.began: float | None = None
        self.first = 0

    def seconds_each(self, done: int) -> float | None:
        """For one piece, by those up to ``done``; None where too few were timed to know."""
        if self.began is None:
            self.began, self.first = self.clock(), done
        elapsed = self.clock() - self.began
        return elapsed / (done - self.first) if elapsed >= LEAST_SECONDS and done > self.first else None


@dataclass(frozen=True, kw_only=True)
class ExtractionForecast:
    """How long feature extraction takes, as measured by its first batches."""

    size: int
    """Of the images in px."""
    images: int
    """In all."""
    to_compute: int
    """Images whose features are not in the cache, the ones that were timed included."""
    seconds_each: float
    slower: int = 0
    """How many of the images are computed in fp32, which takes ``FP32_COST`` times as long as bf16."""
    spent: float
    """Seconds of the budget that passed before extraction."""
    budget: float
    """Seconds; infinite where there is no limit."""

    @property
    def seconds(self) -> float:
        """For all images whose features are not in the cache."""
        return (self.to_compute + self._extra) * self.seconds_each

    @property
    def _extra(self) -> float:
        """The additional time of the slower images, as a number of images."""
        return (FP32_COST - 1) * self.slower

    @property
    def fits(self) -> bool:
        """Whether the budget allows it, with the linear probe and the test after it."""
        return self.seconds <= self.allowed

    @property
    def allowed(self) -> float:
        """The seconds that the budget has for it."""
        return FEATURE_SHARE * (self.budget - self.spent)

    def seconds_at(self, size: int) -> float:
        """The forecast for all images at another size, where no feature is in the cache yet.

        The time of convolutions grows with the area of the images.
        """
        return self.cost_in_images * self.seconds_each * (size / self.size) ** 2

    @property
    def cost_in_images(self) -> float:
        """All images, where a slower one counts as more than one."""
        return self.images + self._extra

    @property
    def smaller_size(self) -> int | None:
        """The largest smaller size that the budget allows; else the smallest; None where none is faster."""
        sizes = range(self.size // SIZE_STEP * SIZE_STEP, LEAST_SIZE - 1, -SIZE_STEP)
        faster = [size for size in sizes if size < self.size and self.seconds_at(size) < self.seconds]
        return next(
            (size for size in faster if self.seconds_at(size) <= self.allowed), min(faster, default=None)
        )

    @property
    def sufficient_budget(self) -> str:
        """The budget that allows this size, as for --budget."""
        return f"{math.ceil((self.spent + self.seconds / FEATURE_SHARE) / 60)}m"

    @property
    def smaller_size_reason(self) -> str:
        """Why images are of ``smaller_size``, in words."""
        assert self.smaller_size is not None
        return (
            f"{self.smaller_size} px, which takes about {duration(self.seconds_at(self.smaller_size))}: "
            f"feature extraction at {self.size} px would take about {duration(self.seconds)} of the budget "
            f"of {duration(self.budget)} (--size {self.size} or --budget {self.sufficient_budget} keeps that "
            "size)"
        )

    def lighter_reason(self, weights: str, seconds: float, before: str) -> str:
        """Why lighter ``weights``, which take ``seconds``, replace those that were there ``before``."""
        return (
            f"{weights}, which takes about {duration(seconds)}: feature extraction by {before} would take "
            f"about {duration(self.seconds)} of the budget of {duration(self.budget)} (--weights {before} or "
            f"--budget {self.sufficient_budget} keeps that network)"
        )

    @property
    def text(self) -> str:
        """The forecast in one line; where the budget does not allow it, with what would do."""
        line = (
            f"Feature extraction takes about {duration(self.seconds)}: {self.to_compute:,} images at "
            f"{self.size} px"
        )
        if self.budget == inf or self.fits:
            return line
        smaller = self.smaller_size
        faster = f"--size {smaller} takes about {duration(self.seconds_at(smaller))}, and " if smaller else ""
        return (
            f"{line}, more than the budget of {duration(self.budget)} allows. It runs to its end; {faster}"
            f"--budget {self.sufficient_budget} is enough. After Ctrl-C, what was computed is kept"
        )
