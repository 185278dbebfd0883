"""What is asked of a tuning, and what it gives: values alone, for a page, a table or a script."""

from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.check.finding import Finding
from verydeep.check.group_names import GroupProposal
from verydeep.data.samples import ImageSource, Part, UnreadableImage
from verydeep.evaluate.calibration import Reliability
from verydeep.evaluate.evaluation import Scaled
from verydeep.evaluate.metrics import Evaluation
from verydeep.evaluate.score import Score
from verydeep.train.class_imbalance import Balance
from verydeep.train.epoch_result import EpochResult

Way = Literal["frozen", "full", "from-scratch"]
"""A head on the network as it is, the network trained on from that head, or a network with new weights."""
Wanted = Literal["auto", "frozen", "full", "from-scratch", "compare"]
"""One way, all of them side by side, or what the data and the budget allow and validation prefers."""


@dataclass(frozen=True, kw_only=True)
class TuneSettings:
    """What a person may say of a tuning; the rest is found out from the data."""

    data: str
    """A folder of class folders, or of train, val and test folders of them."""
    weights: str | None = None
    """A weight file, a run folder, or a name in the catalog, such as vgg16; needed but from scratch."""
    model: str | None = None
    """The network, by name or line; found out from the weights by default."""
    head: Literal["auto", "gap", "whole"] = "auto"
    """gap puts classes after a global average pool, auto there or a stage below; whole keeps all layers."""
    size: int | None = None
    """Side of the images in px; by default what half of them have, from 96 to 224 in steps of 32."""
    group_by: str | None = None
    """What keeps images together in a split: a pattern for their names, or a column."""
    test: float = 0.2
    """The share of images that is cut off and measured on once, where there is no test folder."""
    seed: int = 0
    """Picks the split, the folds and the order of training."""
    budget: float = 300.0
    """Seconds that may be spent in all; what would take longer is not begun."""
    way: Wanted = "auto"
    """frozen, full, from-scratch, all to compare, or what suits."""
    balance: Balance = "auto"
    """How small classes are made up for; auto adjusts the logits where one is over three times another."""

    def values(self) -> dict[str, Any]:
        """For TOML and JSON; what was left open is left out."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was found in the data, before anything was learned."""

    name: str
    images: int
    """All that were found, the broken ones too."""
    class_sizes: dict[str, int]
    """Of those that can be read."""
    broken: tuple[UnreadableImage, ...]
    groups: int | None
    """How many there are; None where nothing was said of groups."""
    short_side: int
    """The median of the images' short sides, in px."""
    proposal: GroupProposal | None = None
    """Groups that the names of ungrouped images show."""


@dataclass(frozen=True, kw_only=True)
class PartSize:
    """One side of the split."""

    part: Part
    images: int
    groups: int | None
    class_sizes: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class FeatureCost:
    """What the one pass of the frozen network over the data was."""

    values: int
    """Of each image, which the last layer sees."""
    computed: int
    """Images that went through the network now."""
    remembered: int
    """Images whose features were on disk from before."""
    seconds: float
    """The pass alone; reading of what was remembered is part of it."""
    cache: Path
    """The folder in which they are kept."""


@dataclass(frozen=True, kw_only=True)
class StrengthPoint:
    """One strength of regularization as cross-validation saw it."""

    strength: float
    """The factor of half the squared weights beside the mean loss of an image, on standardized features."""
    balanced_accuracy: float
    """Over all folds together."""
    standard_error: float
    """Of balanced accuracy, from its spread between folds."""
    loss: float
    """In nats an image."""


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """How the strength of the head was chosen on the training images, and how good the head is there."""

    folds: int
    """0 where there were too few images to hold any back; the strength is then the default one."""
    curve: tuple[StrengthPoint, ...]
    """From strong to weak."""
    strength: float
    """The one chosen."""
    temperature: float
    """What the logits are to be divided by for honest probabilities, from the images held out."""
    score: Score | None
    """Of the chosen strength, each image seen by the head that did not learn from it."""
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to learn, tried or not."""

    way: Way
    validation: Score | None
    """On the same images for all that were tried together; None where it was not tried, or not compared."""
    test: Score | None
    """Only of what was chosen, and of all where they are compared."""
    seconds: float
    """That it took; 0 where it was not tried."""
    forecast_seconds: float | None
    """That it was measured to take, before it was tried or left."""
    epochs: tuple[EpochResult, ...]
    """Of training the network; none where it stayed frozen."""
    best_epoch: int | None
    """The one whose weights were kept."""
    note: str
    """In plain words what was done, or why it was not."""


@dataclass(frozen=True, kw_only=True)
class MistakenImage:
    """A test image that was taken for another class."""

    name: str
    source: ImageSource
    """To read the picture from."""
    label: str
    predicted: str
    confidence: float
    """Of the prediction, in [0, 1], after the temperature."""


@dataclass(frozen=True, kw_only=True)
class TuneResult:
    """A finished tuning: what was read, tried, chosen and measured, with the reasons in words."""

    run: Path
    settings: TuneSettings
    architecture: Architecture
    preprocess: Preprocess
    """Of the network that was kept."""
    origin: dict[str, Any]
    """As in the checkpoint: weights, data, temperature, ..."""
    reading: Reading
    parts: tuple[PartSize, ...]
    """Train, val where there is one, test."""
    size_reason: str
    """Why the images are of this size."""
    head_reason: str
    """Where the head sits, and why there."""
    balance: str
    """How small classes were made up for, and why."""
    features: FeatureCost | None
    """None where the network was trained from scratch alone."""
    validation: CrossValidation | None
    """None where there is no frozen head."""
    candidates: tuple[Candidate, ...]
    chosen: Way
    why: str
    """The choice in one sentence."""
    test: Evaluation
    """Of what was chosen, on the test images: its only reading, unless all ways are compared."""
    test_score: Score
    reliability: Reliability
    """How often the kept network is right on the test images, by how sure it is."""
    scaled: Scaled
    """The same once the logits are divided by the temperature."""
    findings: tuple[Finding, ...] | None
    """What is wrong with the images, the worst first; None where they are too many to be checked here."""
    mistakes: tuple[MistakenImage, ...]
    """The surest first."""
    advice: tuple[str, ...]
    """What the person would do well to know or do, the weightiest first."""
    machine: dict[str, str]
    started: datetime
    seconds: float
    """In all, from reading the folder to the last figure."""

    @property
    def temperature(self) -> float:
        """What the logits of the kept network are divided by for honest probabilities."""
        return float(self.origin["temperature"])
