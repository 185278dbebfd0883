"""Confidence intervals of a measured accuracy. This module does not need torch."""

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True)
class Interval:
    """A measured value with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson_interval(correct: int, count: int) -> tuple[float, float]:
    """The 95 % interval of the accuracy, in [0, 1], if ``correct`` of ``count`` predictions are correct.

    Wilson 1927, in the form of Brown, Cai & DasGupta 2001, eq. 4: it is valid near 100 % too.
    """
    z = 1.959963984540054  # two-sided 95 % of the normal distribution
    share, shrink = correct / count, 1 / (1 + z * z / count)
    middle = shrink * (share + z * z / (2 * count))
    half = shrink * z * sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return max(0.0, middle - half), min(1.0, middle + half)
