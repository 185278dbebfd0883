"""How good a way to learn was found to be, with the interval that its few images leave."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from verydeep.evaluate.metrics import evaluation
from verydeep.recipes.tuning import Score

DRAWS, DRAWS_AT_ONCE = 1_000, 50
SEED = 0


def score(
    logits: Float[Tensor, "count classes"],
    labels: Int64[Tensor, " count"],
    groups: tuple[str, ...] | None,
    classes: tuple[str, ...],
) -> Score:
    """``logits`` against ``labels``, by images that no one learnt from."""
    found = evaluation(logits, labels, classes)
    return Score(
        images=len(labels),
        accuracy=found.top1,
        balanced_accuracy=found.balanced_accuracy,
        macro_f1=found.macro_f1,
        interval=interval(logits, labels, groups),
        loss=found.loss,
    )


def interval(
    logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"], groups: tuple[str, ...] | None
) -> tuple[float, float]:
    """95 % of balanced accuracy, by the bootstrap."""
    draws = drawn_accuracies(logits, labels, groups)
    low, high = draws.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return low, high


def drawn_accuracies(
    logits: Float[Tensor, "count classes"], labels: Int64[Tensor, " count"], groups: tuple[str, ...] | None
) -> Float64[Tensor, " draws"]:
    """Balanced accuracy where groups, or images, are drawn with replacement; the draws are always the same.

    What is alike is drawn together, or many pictures of few things would seem to say much. As the draws are
    the same for the same images, two networks may be compared draw by draw.
    """
    number = {group: place for place, group in enumerate(dict.fromkeys(groups or ()))}
    units = torch.tensor([number[group] for group in groups]) if groups else torch.arange(len(labels))
    right, images = _counts(logits, labels, units)
    chance = torch.Generator().manual_seed(SEED)
    return torch.cat([_drawn(right, images, chance) for _ in range(DRAWS // DRAWS_AT_ONCE)])


def _drawn(right: Tensor, images: Tensor, chance: torch.Generator) -> Tensor:
    picks = torch.randint(len(images), (DRAWS_AT_ONCE, len(images)), generator=chance)
    times = torch.zeros(picks.shape, dtype=torch.float64)
    times.scatter_add_(1, picks, torch.ones_like(times))
    return _mean_recall(times @ right, times @ images)


def _counts(logits: Tensor, labels: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
    """Right answers, and images, of each unit and class."""
    shape = (int(units.max()) + 1, logits.shape[1])
    images = torch.zeros(shape, dtype=torch.float64)
    images.index_put_((units, labels), torch.ones(len(labels), dtype=torch.float64), accumulate=True)
    is_right = (logits.argmax(1) == labels).double()
    right = torch.zeros(shape, dtype=torch.float64)
    right.index_put_((units, labels), is_right, accumulate=True)
    return right, images


def _mean_recall(right: Tensor, images: Tensor) -> Tensor:
    return torch.where(images > 0, right / images.clamp_min(1), torch.nan).nanmean(-1)
