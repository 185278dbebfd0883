"""Small invented runs, for the tests of the report."""

from dataclasses import replace
from datetime import datetime

import numpy as np

from verydeep.evaluate.calibration import Calibration, CalibrationBin
from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.evaluation import Evaluation
from verydeep.evaluate.metrics import Mistake
from verydeep.report.training_page import RunReport
from verydeep.train.epoch_result import EpochResult


def epoch(number: int, **changes: object) -> EpochResult:
    result = EpochResult(
        epoch=number,
        epochs=300,
        train_loss=1 / number,
        train_top1=1 - 0.5 / number,
        val_loss=1 / number,
        val_top1=1 - 0.4 / number,
        lr=0.1 / number,
        seconds=2.0 * number,
    )
    return replace(result, **changes)


def evaluation(classes: tuple[str, ...] = ("cat", "dog", "owl")) -> Evaluation:
    """100 images a class; the first class is taken for the second 20 times, the others are all recognized."""
    counts = np.diag([100] * len(classes))
    if len(classes) > 1:
        counts[0, :2] = 80, 20
    recalls = (counts.diagonal() / 100).tolist()
    top1 = sum(recalls) / len(classes)
    return Evaluation(
        images=100 * len(classes),
        groups=None,
        intervals={
            "top1": Interval(top1, top1 - 0.02, top1 + 0.01),
            "top5": Interval(1.0, 0.98, 1.0),
            "loss": Interval(0.321, 0.3, 0.34),
            "balanced_accuracy": Interval(top1, top1 - 0.03, top1 + 0.01),
            "macro_f1": Interval(top1, top1 - 0.03, top1 + 0.01),
        },
        brier=0.1,
        calibration=Calibration(
            (CalibrationBin(low=0.9, high=1.0, images=300, confidence=0.9623, accuracy=0.95),)
        ),
        per_class=dict(zip(classes, recalls, strict=True)),
        confusion=tuple(tuple(row) for row in counts.tolist()),
    )


def mistake(label: str = "cat", channels: int = 1, side: int = 28) -> tuple[Mistake, np.ndarray]:
    image = np.arange(channels * side * side, dtype=np.uint8).reshape(channels, side, side)
    return Mistake(index=41, label=label, predicted="dog", confidence=0.973), image


def report(**changes: object) -> RunReport:
    run = RunReport(
        title="vgg-tiny on fashion-mnist",
        dataset="fashion-mnist",
        model="vgg-tiny",
        architecture_string="32 M 64x2 M | gap",
        parameters=279_114,
        macs=21_912_345,
        input=(1, 28, 28),
        epochs=(epoch(1), epoch(2)),
        validation=evaluation(),
        test=evaluation(),
        mistakes=(mistake(),),
        recipe_name="fast",
        recipe_toml='model = "vgg-tiny"\nepochs = 2\n',
        command="verydeep train fast --seed 7",
        machine={"processor": "an invented one", "device": "cpu"},
        seed=7,
        started=datetime(2026, 11, 22, 1, 5),
        seconds=125.0,
        wall_seconds=3725.0,
    )
    return replace(run, **changes)
