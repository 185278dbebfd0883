"""How far a difference can be trusted: means over seeds, and Student's intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import fmean, stdev
from typing import Literal

from verydeep.study.trial import Outcome

_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
        2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)  # fmt: skip
"""Student's t for a two-sided 95 % interval, for 1 to 20 degrees of freedom."""


Effect = Literal["helps", "hurts", "makes no difference"]


@dataclass(frozen=True)
class Contrast:
    """One variant against another, and what the paper found of it."""

    ours: str
    theirs: str
    what: str
    """The subject of the sentence that tells."""
    paper: Effect


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float
    count: int


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of ``values`` and its 95 % interval; without bounds where there is one value.

    Above 21 values the interval is that of 21, a little too wide.
    """
    mean, count = fmean(values), len(values)
    if count < 2:
        return Estimate(mean, -inf, inf, count)
    half = _T95[min(count - 1, len(_T95)) - 1] * stdev(values) / sqrt(count)
    return Estimate(mean, mean - half, mean + half, count)


def difference(ours: Iterable[Outcome], theirs: Iterable[Outcome]) -> Estimate | None:
    """How much higher the test accuracy of ``ours`` is, paired by seed; None where no pair was finished."""
    accuracies = {outcome.seed: outcome.test_top1 for outcome in theirs}
    pairs = [(outcome.test_top1, accuracies.get(outcome.seed)) for outcome in ours]
    gains = [one - other for one, other in pairs if one is not None and other is not None]
    return estimate(gains) if gains else None


def verdicts(outcomes: Sequence[Outcome], steps: Sequence[Contrast]) -> tuple[str, ...]:
    """A sentence for each of ``steps``: what it brings by ``outcomes``, beside what the paper found."""

    def runs(variant: str) -> list[Outcome]:
        return [outcome for outcome in outcomes if outcome.variant == variant]

    return tuple(
        f"{verdict(difference(runs(step.ours), runs(step.theirs)), step.what, step.paper)}." for step in steps
    )


def points(gain: Estimate) -> str:
    """``+1.20 points (95 % interval 0.40 to 2.00, 3 seeds)``."""
    if gain.count < 2:
        return f"{100 * gain.mean:+.2f} points (one seed: no interval)"
    return (
        f"{100 * gain.mean:+.2f} points (95 % interval {100 * gain.low:+.2f} to {100 * gain.high:+.2f}, "
        f"{gain.count} seeds)"
    )


def verdict(gain: Estimate | None, what: str, paper: Effect) -> str:
    """``what`` with whether it helps here, by how much, and whether the paper found so too."""
    if gain is None:
        return f"{what}: not measured, for want of a finished pair"
    found: Effect = "helps" if gain.low > 0 else "hurts" if gain.high < 0 else "makes no difference"
    shown = f"{found} that these runs can show" if found == "makes no difference" else found
    beside = "as in the paper" if found == paper else f"in the paper it {paper}"
    return f"{what} {shown}, {points(gain)}; {beside}"
