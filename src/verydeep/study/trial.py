"""The records of a study: its trials, the outcome of a trial, and the study itself."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from verydeep.train.epoch_result import EpochResult
from verydeep.train.recipe import Recipe

PROBE_STEPS = (0, 10, 50)
"""Steps before which a probe measures the gradients: the first step, and early in training."""
MEASURED = 10_000
"""How many training images a trained network is measured on at most: as many as a usual test set has."""


@dataclass(frozen=True, kw_only=True)
class CompressionSteps:
    """What is done to a trained network, in the order of the fields; batch norms are folded first."""

    keep: float = 1.0
    """The share of the weights that unstructured pruning keeps: those of the largest magnitude in the whole
    network."""
    widths: str | None = None
    """The architecture string with the widths to which channels are removed."""
    training: Literal["none", "labels", "logits"] = "none"
    """For the epochs of the recipe: by its labels (fine-tuning), or by the logits of the trained network
    (distillation)."""
    bits: int | None = None
    """Of the integer weights of the largest layer; None is fp32."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training run of a study, one measurement of gradients (a probe), or one compression."""

    group: str = ""
    """Trials in one figure, such as one network with all initializations."""
    variant: str
    """The difference within the group."""
    recipe: Recipe
    images: int | None = None
    """The number of training images; None means all."""
    images_per_class: int | None = None
    """The number of training images of each class, instead of ``images``; a class may have fewer."""
    images_seed: int = 0
    """Selects the images: the same ones in every trial with this seed."""
    classes: tuple[str, ...] | None = None
    """The classes whose images it has; None means all."""
    split: int | None = None
    """The seed of a split that holds out a fifth of the images for testing; None is the data's test set."""
    initialized_from: "Trial | None" = None
    """The trial of a shallower network whose trained layers initialize this one, or whose network is
    fine-tuned or compressed. Fine-tuned, ``recipe`` has the model and norm of that network."""
    kind: Literal["training", "fine-tuning", "probe", "compression"] = "training"
    steps: CompressionSteps = CompressionSteps()
    """Of a compression."""

    @property
    def has_all_images(self) -> bool:
        """Whether it is trained on all training images of its classes."""
        return self.images is None and self.images_per_class is None

    @property
    def name(self) -> str:
        """A unique name within the study, valid as a folder name."""
        parts = [self.group, self.variant, f"seed {self.recipe.seed}"]
        if self.split is not None:
            parts.append(f"split {self.split}")
        return "-".join(re.sub(r"[^a-z0-9.]+", "-", part.lower()).strip("-") for part in parts if part)


@dataclass(frozen=True, kw_only=True)
class LayerGradient:
    """The gradient of one layer's weights before one step."""

    layer: str
    """As in the papers: ``conv3_2``."""
    number: int
    """1 for the first layer."""
    step: int
    norm: float
    """Norm of the gradient of the mean loss, over all weights of the layer."""


@dataclass(frozen=True, kw_only=True)
class CompressedNetwork:
    """The file and the speed of a compressed network."""

    val_top1: float
    """Accuracy on the validation images, in [0, 1]: by it one network is chosen of several."""
    bytes: int
    """Of its file: a checkpoint in fp32, or a compact file of integers."""
    nonzero: float
    """The share of its weights that are not zero."""
    speedup: float | None
    """How many times faster than the network it was made from, batch 1, one thread, timed in turns; None for
    integers, which compute in fp32 as before."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a trial."""

    name: str
    group: str
    variant: str
    seed: int
    split: int | None
    architecture_string: str
    parameters: int
    classes: int = 10
    """Of the images. Older results do not have it; 10 is right for those that are compared with chance."""
    test_top1: float | None = None
    """Test accuracy in [0, 1]; None for a probe, and where training was stopped."""
    train_top1: float | None = None
    """Accuracy on up to ``MEASURED`` of its training images, without augmentation; None as for the test, and
    of compressed networks."""
    train_images: int | None = None
    """How many it was trained on; None where it was not trained on images."""
    epochs: tuple[EpochResult, ...] = ()
    gradients: tuple[LayerGradient, ...] = ()
    """The finite gradients that a probe measured."""
    compressed: CompressedNetwork | None = None
    """What a compression measured beside the accuracy on the test images."""
    failed: str | None = None
    """The reason why training was stopped, if it did not learn."""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """The numbers of the paper, for comparison."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A question, the trials that answer it, and the conclusions from their outcomes."""

    name: str
    title: str
    question: str
    source: str
    """Paper and section."""
    protocol: str
    """The settings that all trials have in common."""
    trials: Callable[[bool], tuple[Trial, ...]]
    """The trials: for a laptop, or with ``True`` for the full study."""
    conclude: Callable[[Sequence[Outcome]], tuple[str, ...]]
    """The findings in sentences, the main conclusion first."""
    published: PublishedTable | None = None
    takes_weights: bool = False
    """Whether it may be run with published weights, on any images (``transfer_with_weights``)."""

    def trials_up_to(self, seeds: int | None, full: bool = False) -> list[Trial]:
        """The trials of the first ``seeds`` seeds (or splits) of each variant; None means all."""
        return [
            trial
            for trial in self.trials(full)
            if seeds is None or (trial.recipe.seed < seeds and (trial.split or 0) < seeds)
        ]

    def to_dict(self) -> dict[str, str]:
        """JSON values: what the study is about."""
        return {"name": self.name, "title": self.title, "question": self.question}


def by_group(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes of each figure, in the order in which the groups first appear."""
    groups: dict[str, list[Outcome]] = {}
    for run in outcomes:
        groups.setdefault(run.group, []).append(run)
    return groups


def by_variant(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes that differ only in their seed, in the order in which the variants first appear."""
    variants: dict[str, list[Outcome]] = {}
    for run in outcomes:
        variants.setdefault(run.variant, []).append(run)
    return variants
