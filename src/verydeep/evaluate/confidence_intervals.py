"""Confidence intervals of a measured accuracy. This module does not need torch."""

from dataclasses import dataclass
from math import sqrt

Z = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""


@dataclass(frozen=True)
class Interval:
    """A measured value with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson_interval(correct: int | float, count: int | float) -> tuple[float, float]:
    """The 95 % interval of the accuracy, in [0, 1], if ``correct`` of ``count`` predictions are correct.

    Wilson 1927, in the form of Brown, Cai & DasGupta 2001, eq. 4: it is valid near 100 % too. Counts need not
    be whole: images that are alike count less.
    """
    share, shrink = min(correct / count, 1.0), 1 / (1 + Z * Z / count)
    middle = shrink * (share + Z * Z / (2 * count))
    half = shrink * Z * sqrt(share * (1 - share) / count + (Z / (2 * count)) ** 2)
    # At the ends the interval ends exactly there; rounding must not leave the value outside.
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))
