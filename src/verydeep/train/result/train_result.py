"""What a finished training gives: for reports, tables and JSON."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from verydeep.architecture.architecture import Architecture
from verydeep.data.images import Dataset
from verydeep.data.images_on_disk import DatasetOnDisk
from verydeep.evaluate.evaluation import Evaluation
from verydeep.evaluate.mistake import Mistake
from verydeep.train.epoch_result import EpochResult
from verydeep.train.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """A finished training."""

    run: Path
    recipe: Recipe
    dataset: Dataset | DatasetOnDisk
    """The images that it was trained and tested on."""
    architecture: Architecture
    epochs: tuple[EpochResult, ...]
    validation: Evaluation | None
    """On the validation images; None where the recipe trains on all images."""
    test: Evaluation
    """The only reading of the test images."""
    mistakes: tuple[Mistake, ...]
    """The most confident mistakes on the test images."""
    test_names: tuple[str, ...]
    """The name of each test image."""
    notes: tuple[str, ...]
    """What a person should know of the data: images that were left out, their size."""
    machine: dict[str, str]
    started: datetime
    best_epoch: int | None
    """The epoch that was kept, where it was chosen on validation images; 0 is the network as it started."""
    seconds: float
    """Training: data, augmentation and steps, without startup and evaluation."""
