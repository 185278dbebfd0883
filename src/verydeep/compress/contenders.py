"""Small networks that are trained from scratch, against which a compressed one must stand its ground.

Liu et al. 2019 (arXiv 1810.05270) find a pruned network no better than the same architecture trained from
random weights for as long. On an easy task a small network of half the pixels may do.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log2

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.compress.origin import recipe_of
from verydeep.compress.steps.distill import EPOCHS
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.recipe import Recipe, read_recipe

FIRST_WIDTHS = (16, 32)
"""Channels of the first convolution."""
MOST_DOUBLED = 3
"""Times that the channels are doubled, at most."""
LAST_MAP = 6
"""Px at least that the map before the classifier has."""


@dataclass(frozen=True)
class Contender:
    """An architecture for images of a size, and how it is trained."""

    architecture: Architecture
    recipe: Recipe

    @property
    def name(self) -> str:
        """``16 M 32 M 64 | gap at 14 px``."""
        return f"{self.architecture.string} at {self.size} px"

    @property
    def size(self) -> int:
        """Side of its images in px."""
        return self.architecture.input[1]


def contenders(original: Checkpoint, narrowed: Architecture | None, seed: int) -> Iterator[Contender]:
    """``narrowed`` with the norm of the original, and plain networks that take all or half the pixels.

    Each has fewer MACs than the narrowed architecture, or the original where there is none.
    """
    recipe = replace(contender_recipe(original), seed=seed)
    of_original = original.model.architecture
    if narrowed is not None:
        yield Contender(narrowed.with_norm(of_original.norm), recipe)
    most = trace(narrowed or of_original).totals.macs
    for size in (original.preprocess.size, original.preprocess.size // 2):
        for width in FIRST_WIDTHS:
            small = small_architecture(size, width).with_classes(len(original.classes))
            small = small.with_input(original.preprocess.channels, (size, size))
            if trace(small).totals.macs < most:
                yield Contender(small, recipe)


def small_architecture(size: int, width: int) -> Architecture:
    """``16 M 32 M 64 | gap`` with batch norm for 28 px, and one more pool for each doubling of ``size``."""
    pools = max(1, int(log2(max(size, 2 * LAST_MAP) / LAST_MAP)))
    widths = [width * 2 ** min(stage, MOST_DOUBLED) for stage in range(pools + 1)]
    return zoo.resolve(" M ".join(map(str, widths)) + " | gap").with_norm("batch")


def contender_recipe(original: Checkpoint) -> Recipe:
    """The recipe of ``original``, for the epochs of its distillation more, or that for training from scratch.

    A network that was pretrained elsewhere had more than any contender can have.
    """
    own = recipe_of(original)
    if own is None or own.weights is not None or own.schedule.name == "plateau" or own.epochs == "auto":
        recipe = read_recipe("scratch", {})
    else:
        recipe = replace(own, epochs=own.epochs + EPOCHS)
    return replace(
        recipe, model=None, norm=None, grow_from=None, size=None, freeze="auto", compile=False,
        validation=0.0, keep="last", early_stopping=0,
    )  # fmt: skip
