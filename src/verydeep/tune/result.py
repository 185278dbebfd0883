"""The result of `verydeep tune`: plain values, for a page, a table or a script."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from verydeep.added_images.earlier_network import Comparison
from verydeep.added_images.kept_split import ImageChanges
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.check.finding import Finding
from verydeep.check.group_names import GroupProposal
from verydeep.data.label_file import LabelRow
from verydeep.evaluate.evaluation import Evaluation
from verydeep.evaluate.temperature_choice import TemperatureChoice
from verydeep.image_sources.image_source import ImageSource, UnreadableImage
from verydeep.image_sources.part_names import Part
from verydeep.image_sources.reading import Reading
from verydeep.train.epoch_result import EpochResult
from verydeep.tune.config import Strategy, TuneConfig


@dataclass(frozen=True, kw_only=True)
class ImageSummary:
    """What was found in the data, before anything was trained."""

    name: str
    images: int
    """All that were found, the unreadable ones too."""
    class_sizes: dict[str, int]
    """Of those that can be read."""
    unreadable: tuple[UnreadableImage, ...]
    groups: int | None
    """How many there are; None where images were not grouped."""
    short_side: int
    """The median of the images' short sides, in px."""
    proposal: GroupProposal | None = None
    """Groups that the names of ungrouped images suggest."""
    reading: Reading = field(default_factory=Reading)
    """What was passed over, and how the images were understood."""
    changes: ImageChanges | None = None
    """Since the earlier run that is continued."""
    has_own_test: bool = False
    """Whether the test images were given as such: no flag changes which they are."""


@dataclass(frozen=True, kw_only=True)
class PartSize:
    """One part of the split."""

    part: Part
    images: int
    groups: int | None
    class_sizes: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class FeatureCost:
    """The cost of feature extraction: one forward pass of the frozen network over all images."""

    values: int
    """Features per image, which the last layer is given."""
    computed: int
    """Images that went through the network."""
    cached: int
    """Images whose features were in the cache."""
    seconds: float
    """Of the extraction, with reading of the cache."""
    cache: Path
    """The folder of the cache."""


@dataclass(frozen=True, kw_only=True)
class L2Point:
    """One L2 regularization strength, measured by cross-validation."""

    l2: float
    """The factor of half the squared weights, beside the mean loss of an image, on standardized features."""
    balanced_accuracy: float
    """Over all folds together."""
    standard_error: float
    """Of balanced accuracy, from its spread between folds."""
    loss: float
    """In nats per image."""


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """The search over the L2 strength of the linear probe, and its quality on held-out images."""

    folds: int
    """0 where there were too few images to hold any out; the strength is then the default."""
    curve: tuple[L2Point, ...]
    """From strong to weak."""
    l2: float
    """The strength that was chosen."""
    temperature: float
    """That divides the logits for calibrated probabilities; 1 where scaling does not help."""
    calibration: TemperatureChoice | None = None
    """Whether temperature scaling helps on held-out images; None where there were too few."""
    evaluation: Evaluation | None
    """Of the chosen strength: each image is predicted by the probe that was not trained on it."""
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StrategyResult:
    """One strategy, run or not."""

    strategy: Strategy
    validation: Evaluation | None
    """On the same held-out images for all compared strategies; None where it was not run or compared."""
    test: Evaluation | None
    """Of the chosen strategy, and of all where they are compared."""
    seconds: float
    """That it took; 0 where it was not run."""
    forecast_seconds: float | None
    """The forecast, before it was run or left out."""
    epochs: tuple[EpochResult, ...]
    """Of training the network; none for the linear probe."""
    best_epoch: int | None
    """The epoch whose weights were kept; 0 is the network as training started."""
    note: str
    """What was done, or the reason why not, in words."""


@dataclass(frozen=True, kw_only=True)
class MistakenImage:
    """A test image that was predicted as another class."""

    name: str
    source: ImageSource
    """To read the picture from."""
    label: str
    predicted: str
    confidence: float
    """Of the prediction, in [0, 1], after temperature scaling where that is applied."""


@dataclass(frozen=True, kw_only=True)
class TuneResult:
    """A finished tuning: what was read, run, chosen and measured, with the reasons."""

    run: Path
    location: str
    """Of the images."""
    asked: TuneConfig
    decided: TuneConfig
    """The same with every decision made: it repeats the run without a search."""
    architecture: Architecture
    preprocess: Preprocess
    """Of the network that was kept."""
    origin: dict[str, Any]
    """As in the checkpoint: weights, data, temperature, ..."""
    images: ImageSummary
    parts: tuple[PartSize, ...]
    """Train, val where there is one, test."""
    size_reason: str
    """Why the images are of this size."""
    fit_reason: str
    """How images of other shapes become square, and why."""
    weights_reason: str = ""
    """Why these weights were taken; empty where they were named."""
    head_reason: str
    """Where the classifier head is, and why."""
    balance: str
    """How class imbalance is handled, and why."""
    features: FeatureCost | None
    """None where the network was trained from scratch only."""
    probe: CrossValidation | None
    """None where there is no linear probe."""
    strategies: tuple[StrategyResult, ...]
    chosen: Strategy
    reason: str
    """For the choice, in one sentence."""
    test: Evaluation
    """Of the chosen strategy on the test images: their only reading, unless all strategies are compared."""
    calibration: TemperatureChoice | None = None
    """Whether temperature scaling is applied, and why; None where there were too few held-out images."""
    comparison: Comparison | None = None
    """With the network of the earlier run that is continued, on the same test images."""
    findings: tuple[Finding, ...] | None
    """Data quality issues, the worst first; None where there are too many images to check them here."""
    mistakes: tuple[MistakenImage, ...]
    """The most confident ones first."""
    doubtful_labels: tuple[LabelRow, ...] = ()
    """Images that a classifier which was not trained on them predicts as another class, the surest first."""
    warnings: tuple[str, ...]
    """What the person should know or do, the most important first."""
    machine: dict[str, str]
    started: datetime
    seconds: float
    """In all, from reading the folder to the last measurement; with those before an interruption."""

    @property
    def temperature(self) -> float:
        """The logits of the kept network are divided by it for calibrated probabilities."""
        return float(self.origin["temperature"])
