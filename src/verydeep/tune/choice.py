"""Which strategy is kept, and for which reason.

The linear probe is kept unless another strategy is better in nine of ten resamples of the held-out images.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from torch import Tensor

from verydeep.evaluate.bootstrap import resampled_balanced_accuracy
from verydeep.evaluate.temperature_choice import TemperatureChoice
from verydeep.image_sources.samples import Samples
from verydeep.models.checkpoint import Checkpoint
from verydeep.number_format import percent
from verydeep.train.recipe import Recipe
from verydeep.tune.budget import Skipped
from verydeep.tune.config import Strategy
from verydeep.tune.result import StrategyResult

NAMES: dict[Strategy, str] = {"fine-tune": "fine-tuning", "scratch": "training from scratch"}
"""In a sentence."""
SURE = 0.9
"""The share of resamples in which another strategy must be better than the linear probe."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A network that could be kept."""

    result: StrategyResult
    network: Checkpoint
    temperature: float
    """1 where scaling does not help."""
    calibration: TemperatureChoice | None = None
    """Why; None where there are too few held-out images."""
    recipe: Recipe | None = None
    """That trained it, with all decisions; None for the linear probe."""
    val_logits: Float32[Tensor, "val classes"] | None = None
    """Of the held-out images that strategies are compared on; None where nothing is compared."""
    test_logits: Float32[Tensor, "test classes"] | None = None
    """None where they are not known yet."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The strategies that were run, those that gave no network, and the one that is kept."""

    candidates: tuple[Candidate, ...]
    skipped: tuple[StrategyResult, ...]
    chosen: Candidate
    reason: str


def without_comparison(candidate: Candidate, reason: str) -> Choice:
    """``candidate``, as nothing else was run."""
    return Choice(candidates=(candidate,), skipped=(), chosen=candidate, reason=reason)


def without_fine_tuning(probe: Candidate, skipped: Skipped) -> Choice:
    """The linear probe, as fine-tuning was skipped."""
    note = f"skipped: {skipped.reason}"
    result = without_network("fine-tune", note, forecast_seconds=skipped.seconds)
    reason = f"fine-tuning was {note}"
    return Choice(candidates=(probe,), skipped=(result,), chosen=probe, reason=reason)


def without_network(
    strategy: Strategy, note: str, seconds: float = 0.0, forecast_seconds: float | None = None
) -> StrategyResult:
    """The result of a strategy that gave no network: it was skipped, or did not learn."""
    return StrategyResult(
        strategy=strategy,
        validation=None,
        test=None,
        seconds=seconds,
        forecast_seconds=forecast_seconds,
        epochs=(),
        best_epoch=None,
        note=note,
    )


def choose(
    probe: Candidate, others: Sequence[Candidate], val: Samples, failed: Sequence[StrategyResult] = ()
) -> Choice:
    """The linear probe, unless another is better in nine of ten resamples of the held-out images ``val``.

    Of several the one that is better in the most resamples is chosen. Groups are resampled as a whole.

    Args:
        probe: the linear probe.
        others: the networks of other strategies.
        val: the held-out images.
        failed: the strategies that did not learn.
    """
    if not others:
        reason = "; ".join(f"{NAMES[each.strategy]} {each.note}" for each in failed)
        return Choice(candidates=(probe,), skipped=tuple(failed), chosen=probe, reason=reason)
    of_probe = _resampled(probe, val)
    shares = [float((_resampled(each, val) > of_probe).mean()) for each in others]
    share, best = max(zip(shares, others, strict=True), key=lambda each: each[0])
    is_better = share >= SURE
    reason = _reason(probe, best if is_better else others[0], share, len(val), is_better=is_better)
    chosen = best if is_better else probe
    return Choice(candidates=(probe, *others), skipped=tuple(failed), chosen=chosen, reason=reason)


def _resampled(candidate: Candidate, val: Samples) -> Float64[np.ndarray, " resamples"]:
    assert candidate.val_logits is not None
    return resampled_balanced_accuracy(candidate.val_logits.numpy(), val.labels, val.groups)


def _reason(probe: Candidate, other: Candidate, share: float, images: int, *, is_better: bool) -> str:
    of_probe, of_other = probe.result.validation, other.result.validation
    assert of_probe is not None and of_other is not None
    name = NAMES[other.result.strategy]
    compared = (
        f"balanced accuracy {percent(of_other.balanced_accuracy, 1)} against "
        f"{percent(of_probe.balanced_accuracy, 1)} of the linear probe on the {images:,} training images "
        "that were held out"
    )
    if is_better:
        return f"{name} was better: {compared}, and in {share:.0%} of resamples of them"
    return f"{name} was not surely better: {compared}; the linear probe that is kept was trained on these too"
