"""How good a way to learn was found to be, with the interval that its few images leave."""

from dataclasses import dataclass

from jaxtyping import Float, Float32, Int64
from torch import Tensor

from verydeep.evaluate.bootstrap import NAMES, bootstrap, drawn_measures
from verydeep.evaluate.metrics import evaluation


@dataclass(frozen=True, kw_only=True)
class Score:
    """How good a way was found to be on images that it had not learned from. All but the loss in [0, 1]."""

    images: int
    accuracy: float
    balanced_accuracy: float
    """The mean recall of the classes that have images."""
    macro_f1: float
    interval: tuple[float, float]
    """95 % of balanced accuracy, by draws with replacement of whole groups (of images without them)."""
    loss: float
    """In nats an image."""


def score(
    logits: Float[Tensor, "count classes"],
    labels: Int64[Tensor, " count"],
    groups: tuple[str, ...] | None,
    classes: tuple[str, ...],
) -> Score:
    """``logits`` against ``labels``, by images that no one learned from."""
    found = evaluation(logits, labels, classes)
    balanced = bootstrap(logits, labels, groups)["balanced_accuracy"]
    return Score(
        images=len(labels),
        accuracy=found.top1,
        balanced_accuracy=found.balanced_accuracy,
        macro_f1=found.macro_f1,
        interval=(balanced.low, balanced.high),
        loss=found.loss,
    )


def drawn_accuracies(
    logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"], groups: tuple[str, ...] | None
) -> Float32[Tensor, " draws"]:
    """Balanced accuracy in each draw of groups, or of images; the same draws for the same images."""
    return drawn_measures(logits, labels, groups)[:, NAMES.index("balanced_accuracy")]
