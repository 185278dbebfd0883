"""The statistics of a study: means over seeds, Student's t intervals, and significant differences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf, log10, sqrt
from statistics import fmean, stdev
from typing import Literal

from verydeep.study.trial import Outcome

_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
        2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)  # fmt: skip
"""Student's t for a two-sided 95 % interval, for 1 to 20 degrees of freedom."""


_T80 = (1.376, 1.061, 0.978, 0.941, 0.920, 0.906, 0.896, 0.889, 0.883, 0.879,
        0.876, 0.873, 0.870, 0.868, 0.866, 0.865, 0.863, 0.862, 0.861, 0.860)  # fmt: skip
"""Student's t that is not exceeded with a probability of 80 %, likewise."""


Effect = Literal["better", "worse", "no difference"]


@dataclass(frozen=True)
class Contrast:
    """The comparison of a variant with a baseline, and the finding of the paper."""

    variant: str
    baseline: str
    compared: str
    """The two in words, the baseline first: "11 and 16 layers"."""
    paper: Effect | None
    """The effect of the variant in the paper; None where no paper of the study has measured it."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float
    count: int
    left_out: int = 0
    """Of a difference: seeds in which a run did not learn."""

    @property
    def detectable(self) -> float:
        """The difference that so many values would show as significant with a probability of about 80 %.

        The usual approximation: the quantiles of both errors, times the standard error (Cohen 1988). For 3
        values it is 77 %, and the standard error itself is a guess from these values.
        """
        return (self.high - self.low) / 2 * (1 + _quantile(_T80, self.count) / _quantile(_T95, self.count))


def _quantile(table: tuple[float, ...], count: int) -> float:
    """Of Student's t for a mean of ``count`` values, 2 or more."""
    return table[min(count - 1, len(table)) - 1]


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of ``values`` and its 95 % interval, which is infinite for one value.

    Above 21 values the interval is a little too wide: it has the t of 21 values.
    """
    mean, count = fmean(values), len(values)
    if count < 2:
        return Estimate(mean, -inf, inf, count)
    half = _quantile(_T95, count) * stdev(values) / sqrt(count)
    return Estimate(mean, mean - half, mean + half, count)


def difference(runs: Iterable[Outcome], baseline: Iterable[Outcome]) -> Estimate | None:
    """The test accuracy of ``runs`` minus ``baseline``, paired by seed; None without a finished pair."""
    runs, baseline = tuple(runs), tuple(baseline)
    accuracies = {outcome.seed: outcome.test_top1 for outcome in baseline}
    pairs = [(outcome.test_top1, accuracies.get(outcome.seed)) for outcome in runs]
    gains = [accuracy - base for accuracy, base in pairs if accuracy is not None and base is not None]
    stopped = {outcome.seed for outcome in (*runs, *baseline) if outcome.failed is not None}
    return replace(estimate(gains), left_out=len(stopped)) if gains else None


def conclusions(outcomes: Sequence[Outcome], contrasts: Sequence[Contrast]) -> tuple[str, ...]:
    """A sentence per contrast: the difference in ``outcomes``, and the finding of the paper."""

    def runs(variant: str) -> list[Outcome]:
        return [outcome for outcome in outcomes if outcome.variant == variant]

    return tuple(
        conclusion(difference(runs(contrast.variant), runs(contrast.baseline)), contrast)
        for contrast in contrasts
    )


def gain_text(gain: Estimate) -> str:
    """``+1.20 points (95 % interval +0.40 to +2.00, 3 seeds)``, with the number of seeds left out."""
    left_out = f"; in {gain.left_out} more a run did not learn" if gain.left_out else ""
    if gain.count < 2:
        return f"{100 * gain.mean:+.2f} points (one seed: no interval{left_out})"
    return (
        f"{100 * gain.mean:+.2f} points (95 % interval {100 * gain.low:+.2f} to {100 * gain.high:+.2f}, "
        f"{gain.count} seeds{left_out})"
    )


def conclusion(gain: Estimate | None, contrast: Contrast) -> str:
    """Whether the variant differs significantly from the baseline, by how much, and the paper's finding."""
    variant, baseline, compared = contrast.variant, contrast.baseline, contrast.compared
    if gain is None:
        return f"Not measured for {compared} ({baseline} and {variant}): no pair of finished runs."
    agreement = _agreement(effect_of(gain), contrast) if gain.count > 1 else ""
    return f"{comparison(gain, variant, baseline, compared)}{agreement}."


def comparison(gain: Estimate, variant: str, baseline: str, compared: str) -> str:
    """Whether ``variant`` differs significantly from ``baseline``, and by how much; without a full stop."""
    effect = effect_of(gain)
    if gain.count < 2:
        text = f"Not decided by one seed: {compared} ({baseline} and {variant})"
    elif effect == "no difference":
        text = f"No significant difference between {compared} ({baseline} and {variant})"
    else:
        text = f"{variant} is significantly {effect} than {baseline} ({compared})"
    return f"{text}: {gain_text(gain)}{_power(gain, effect)}"


def _power(gain: Estimate, effect: Effect) -> str:
    """Which difference would have been found, where none was."""
    if effect != "no difference" or gain.count < 2:
        return ""
    if gain.detectable >= 1:
        return "; the seeds vary so much that no difference would have been found"
    return f"; about {100 * gain.detectable:.2f} points would have been found with a probability of 80 %"


def effect_of(gain: Estimate) -> Effect:
    """Whether the 95 % interval of ``gain`` excludes zero, and on which side."""
    return "better" if gain.low > 0 else "worse" if gain.high < 0 else "no difference"


def _agreement(effect: Effect, contrast: Contrast) -> str:
    if contrast.paper is None:
        return ""
    if effect == contrast.paper == "no difference":  # which few seeds show of anything: no confirmation
        return "; the paper found no difference either"
    if effect == contrast.paper:
        return "; as in the paper"
    if contrast.paper == "no difference":
        return "; the paper found no difference"
    return f"; the paper found {contrast.variant} {contrast.paper}"


def gradient_range(outcomes: Sequence[Outcome], step: int = 0) -> tuple[float, float] | None:
    """The smallest and the largest gradient norm of a layer before ``step``: geometric means over the runs.

    None where no layer of any run has a gradient. The last layer, which gives the classes, does not count.
    """
    exponents = []
    for outcome in outcomes:
        last = max((one.number for one in outcome.gradients), default=0)
        norms = [
            one.norm for one in outcome.gradients if one.step == step and one.norm > 0 and one.number < last
        ]
        if norms:
            exponents.append((log10(min(norms)), log10(max(norms))))
    if not exponents:
        return None
    return 10 ** fmean(low for low, _ in exponents), 10 ** fmean(high for _, high in exponents)
