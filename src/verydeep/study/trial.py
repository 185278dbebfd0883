"""The parts of a study: a trial, what came of it, and the plan that holds them together."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from verydeep.train.epoch_result import EpochResult
from verydeep.train.recipe import Recipe

PROBE_STEPS = (0, 10, 50)
"""Steps before which a probe measures the gradients: at the start, and as learning sets in."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training, or one look at the gradients, of a study."""

    group: str = ""
    """What shares a figure, such as one network under all its initializations."""
    variant: str
    """What differs within the group."""
    recipe: Recipe
    images: int | None = None
    """How many training images, the same ones in every trial; all where None."""
    split: int | None = None
    """Seed by which a fifth of the images is held back to test on; None takes the data's own test set."""
    grows_from: "Trial | None" = None
    """The trial whose trained network lends its layers first."""
    kind: Literal["training", "probe"] = "training"

    @property
    def name(self) -> str:
        """A name that no other trial of the study has, fit for a folder."""
        parts = [self.group, self.variant, f"seed {self.recipe.seed}"]
        if self.split is not None:
            parts.append(f"split {self.split}")
        return "-".join(re.sub(r"[^a-z0-9.]+", "-", part.lower()).strip("-") for part in parts if part)


@dataclass(frozen=True, kw_only=True)
class LayerGradient:
    """The gradient of one layer's weights before one step."""

    layer: str
    """As the papers have it: ``conv3_2``."""
    place: int
    """1 for the layer next to the image."""
    step: int
    norm: float
    """Of the gradient of the mean loss, over all weights of the layer."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a trial."""

    name: str
    group: str
    variant: str
    seed: int
    split: int | None
    architecture_string: str
    parameters: int
    test_top1: float | None = None
    """On images that were not trained on, in [0, 1]; None for a probe, and where training was stopped."""
    epochs: tuple[EpochResult, ...] = ()
    gradients: tuple[LayerGradient, ...] = ()
    """What a probe saw; a gradient that is not finite is left out."""
    failed: str | None = None
    """Why training was stopped, where it did not learn."""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """The paper's own numbers, to stand beside ours."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A question, the trials that answer it, and how their outcomes are put into a sentence."""

    name: str
    title: str
    question: str
    source: str
    """Paper and section."""
    protocol: str
    """What all trials have in common."""
    trials: Callable[[bool], tuple[Trial, ...]]
    """The trials: those for a laptop, or with ``True`` those for the patient."""
    conclude: Callable[[Sequence[Outcome]], tuple[str, ...]]
    """What the outcomes say, whether or not the paper agrees: the conclusion, and what else was found."""
    published: PublishedTable | None = None


def by_group(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes that share a figure, in the order in which groups first come."""
    groups: dict[str, list[Outcome]] = {}
    for run in outcomes:
        groups.setdefault(run.group, []).append(run)
    return groups


def by_variant(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes that differ by their seed alone, in the order in which variants first come."""
    variants: dict[str, list[Outcome]] = {}
    for run in outcomes:
        variants.setdefault(run.variant, []).append(run)
    return variants
