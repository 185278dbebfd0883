"""All that is said of a trained network on labeled images: one value, for tables, pages and programs."""

from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from verydeep.evaluate.bootstrap import bootstrap
from verydeep.evaluate.calibration import Reliability, reliability
from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.metrics import Evaluation, brier_score, evaluation


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """The same network, its logits divided by a temperature that was fitted on other images."""

    temperature: float
    reliability: Reliability
    loss: float
    """In nats an image."""


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """An evaluation, how far it can be trusted, and whether the network is as sure as it is right."""

    evaluation: Evaluation
    intervals: dict[str, Interval]
    """Of top1, top5, loss, balanced_accuracy and macro_f1: 95 %."""
    groups: int | None
    """How many groups were resampled; None where images were."""
    brier: float
    """From 0 (best) to 2."""
    reliability: Reliability
    scaled: Scaled | None
    """None where no temperature is known."""


def assess(
    logits: Float[Tensor, "count classes"],
    labels: Int64[Tensor, " count"],
    classes: tuple[str, ...],
    *,
    groups: tuple[str, ...] | None = None,
    temperature: float | None = None,
) -> Assessment:
    """Everything that is said of one set of predictions.

    Args:
        logits: of each image.
        labels: indices into ``classes``.
        classes: their names.
        groups: one an image; intervals are then over groups.
        temperature: as ``fit_temperature`` found it on other images than these.
    """
    return Assessment(
        evaluation=evaluation(logits, labels, classes),
        intervals=bootstrap(logits, labels, groups),
        groups=None if groups is None else len(set(groups)),
        brier=brier_score(logits, labels),
        reliability=reliability(logits, labels),
        scaled=None if temperature is None else scaled(logits, labels, temperature),
    )


def scaled(
    logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"], temperature: float
) -> Scaled:
    """What is said of the network once its ``logits`` are divided by ``temperature``."""
    calm = logits / temperature
    return Scaled(
        temperature=temperature,
        reliability=reliability(calm, labels),
        loss=float(functional.cross_entropy(calm, labels)),
    )
