"""Small results of trainings, for the tests of pages, plots and tables."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from verydeep.architecture.architecture import Architecture
from verydeep.data.images import Dataset, Images
from verydeep.train.epoch_result import EpochResult
from verydeep.train.recipe import Recipe
from verydeep.train.result.train_result import TrainResult

from .evaluations import CLASSES, evaluation, mistake


def epoch(number: int, **changes: object) -> EpochResult:
    """Losses that fall and accuracies that rise; every value of an epoch is different."""
    result = EpochResult(
        epoch=number,
        epochs=300,
        train_loss=1.5 / number,
        train_top1=1 - 0.5 / number,
        val_loss=1 / number,
        val_top1=1 - 0.4 / number,
        val_balanced_accuracy=1 - 0.3 / number,
        is_best=True,
        lr=0.1 / number,
        seconds=2.0 * number,
        images_per_second=1000.0 + number,
        data_wait=0.01 * number,
    )
    return replace(result, **changes)


def unvalidated(number: int, **changes: object) -> EpochResult:
    """An epoch of a training without validation images."""
    return epoch(number, val_loss=None, val_top1=None, val_balanced_accuracy=None, is_best=False, **changes)


def dataset(channels: int = 1, side: int = 28, count: int = 60) -> Dataset:
    """Images whose pixels are all different."""
    pixels = torch.arange(count * channels * side * side).remainder(251).to(torch.uint8)
    images = Images(pixels.view(count, channels, side, side), torch.zeros(count).long(), CLASSES)
    return Dataset("fashion-mnist", images, images)


def train_result(**changes: object) -> TrainResult:
    """Two epochs of vgg-tiny; image 41 of the test images is a mistake."""
    result = TrainResult(
        run=Path("runs/fast"),
        recipe=Recipe(model="vgg-tiny", epochs=2, seed=7),
        dataset=dataset(),
        architecture=replace(
            Architecture.from_string("32 M 64x2 M | gap", input=(1, 28, 28), classes=3), name="vgg-tiny"
        ),
        epochs=(epoch(1), epoch(2)),
        validation=evaluation(((90, 10, 0), (0, 100, 0), (0, 0, 100))),
        test=evaluation(),
        mistakes=(mistake(),),
        test_names=tuple(f"cats/{index}.png" for index in range(60)),
        notes=(),
        machine={"processor": "a processor", "device": "cpu"},
        started=datetime(2026, 11, 22, 1, 5, tzinfo=UTC),
        best_epoch=None,
        seconds=125.0,
    )
    return replace(result, **changes)
