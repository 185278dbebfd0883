"""Small invented tunings on real files, for the tests of their page."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image
from verydeep.evaluate.score import Score

from verydeep.architecture import zoo
from verydeep.architecture.layers import Head
from verydeep.architecture.preprocess import IMAGENET
from verydeep.check.finding import Finding
from verydeep.data.samples import UnreadableImage
from verydeep.errors import UnreadableKind
from verydeep.evaluate.calibration import Bin, Reliability
from verydeep.evaluate.evaluation import Scaled
from verydeep.evaluate.metrics import Evaluation
from verydeep.train.epoch_result import TunedEpoch
from verydeep.tune.result import (
    Candidate,
    CrossValidation,
    FeatureCost,
    MistakenImage,
    PartSize,
    Reading,
    StrengthPoint,
    TuneResult,
    TuneSettings,
)

from .runs import epoch

SIZES = {"train": {"cat": 300, "dog": 60}, "test": {"cat": 80, "dog": 20}}
RELIABILITY = Reliability((Bin(low=0.9, high=1.0, images=100, confidence=0.9656, accuracy=0.92),))
CALM = Reliability((Bin(low=0.9, high=1.0, images=100, confidence=0.9323, accuracy=0.92),))
FINDINGS = (
    Finding(
        kind="duplicates across splits",
        severity="error",
        message="2 images are the same as one in another split.",
        next_step="Keep them together: --group-by 'duplicates'.",
        files=(("cat/<b>.png", "cat/4.png"),),
    ),
)


def picture(path: Path, size: tuple[int, int] = (200, 120)) -> Path:
    """A photograph on disk, with a gradient in it."""
    across = np.linspace(0, 255, size[0], dtype=np.uint8)[None, :, None]
    Image.fromarray(np.broadcast_to(across, (size[1], size[0], 3)).copy()).save(path)
    return path


def score(balanced: float, low: float, high: float, images: int = 100) -> Score:
    return Score(
        images=images,
        accuracy=balanced + 0.01,
        balanced_accuracy=balanced,
        macro_f1=balanced - 0.01,
        interval=(low, high),
        loss=0.234,
    )


def evaluation() -> Evaluation:
    """74 of 80 cats and 18 of 20 dogs are recognized."""
    return Evaluation(
        images=100,
        top1=0.92,
        top5=1.0,
        loss=0.234,
        calibration_error=0.0456,
        per_class={"cat": 0.925, "dog": 0.9},
        confusion=((74, 6), (2, 18)),
    )


def candidate(way: str = "frozen", **changes: object) -> Candidate:
    made = Candidate(
        way=way,
        validation=score(0.931, 0.902, 0.957, 360),
        test=score(0.9125, 0.86, 0.95) if way == "frozen" else None,
        seconds=3.2,
        forecast_seconds=None,
        epochs=(),
        best_epoch=None,
        note="a head on the network as it is",
    )
    return replace(made, **changes)


def full(**changes: object) -> Candidate:
    """Trained on for six epochs, of which the fourth was the best."""
    epochs = (
        TunedEpoch(**vars(epoch(number)), val_balanced=0.93 - 0.01 * abs(number - 4), is_best=number <= 4)
        for number in range(1, 7)
    )
    values = {
        "validation": score(0.921, 0.89, 0.95, 360), "seconds": 140.0, "best_epoch": 4,
        "epochs": tuple(epochs),
        "note": "the whole network, from that head",
    }  # fmt: skip
    return candidate("full", **(values | changes))


def left_out() -> Candidate:
    return candidate(
        "from-scratch",
        validation=None,
        seconds=0.0,
        forecast_seconds=900.0,
        note="not tried: 360 images are few",
    )


def cross_validation(**changes: object) -> CrossValidation:
    points = ((1.0, 0.88, 0.4), (0.1, 0.92, 0.3), (0.01, 0.931, 0.25), (0.001, 0.925, 0.27))
    made = CrossValidation(
        folds=5,
        curve=tuple(
            StrengthPoint(strength=at, balanced_accuracy=right, standard_error=0.012, loss=loss)
            for at, right, loss in points
        ),
        strength=0.01,
        temperature=1.25,
        score=score(0.931, 0.902, 0.957, 360),
        seconds=2.5,
    )
    return replace(made, **changes)


def unreadable(name: str, reason: str, kind: UnreadableKind) -> UnreadableImage:
    return UnreadableImage(Path(name), f"{name} {reason}", kind, name)


def tuning(folder: Path, **changes: object) -> TuneResult:
    """A head on VGG16, with two mistakes whose files lie in ``folder``."""
    mistakes = tuple(
        MistakenImage(name=f"cat/{name}", source=folder / name, label="cat", predicted="dog", confidence=sure)
        for name, sure in (("1.jpg", 0.987), ("2.png", 0.876))
    )
    for mistake in mistakes:
        picture(mistake.source)
    network = zoo.resolve("vgg16")
    made = TuneResult(
        run=Path("runs/tune-pets"),
        settings=TuneSettings(data="pets", weights="vgg16", group_by=r"pet_\d+", seed=3),
        architecture=replace(
            network, name="vgg16-gap", head=Head(), classes=2, input=(3, 96, 96)
        ),
        preprocess=IMAGENET.for_input(3, 96),
        origin={"weights": "vgg16-features.safetensors", "data": "pets", "temperature": 1.25},
        reading=Reading(
            name="pets",
            images=462,
            class_sizes={"cat": 380, "dog": 80},
            broken=(
                unreadable("cat/cut.jpg", "cannot be decoded: it is truncated", "truncated"),
                unreadable("dog/empty.png", "is not an image of a known format", "not an image"),
            ),
            groups=120,
            short_side=88,
        ),
        parts=(
            PartSize(part="train", images=360, groups=96, class_sizes=SIZES["train"]),
            PartSize(part="test", images=100, groups=24, class_sizes=SIZES["test"]),
        ),
        head_reason="after relu4_3, by the loss on images held out: 0.052 after pool5, 0.041 after relu4_3",
        size_reason="96 px, since half of the images have a short side of at least 88 px",
        balance="cat has 5.0 times the images of dog: logits are adjusted so that classes count the same",
        features=FeatureCost(values=512, computed=400, remembered=62, seconds=8.0, cache=Path("cache")),
        validation=cross_validation(),
        candidates=(candidate(), full(), left_out()),
        chosen="frozen",
        why="training on did no better on the images held out",
        test=evaluation(),
        test_score=score(0.9125, 0.86, 0.95),
        reliability=RELIABILITY,
        scaled=Scaled(temperature=1.25, reliability=CALM, loss=0.2),
        findings=FINDINGS,
        mistakes=mistakes,
        advice=("The test leaves open whether balanced accuracy is 86 % or 95 %: it has too few groups",),
        machine={"processor": "an invented one", "torch": "2.9"},
        started=datetime(2026, 11, 22, 7, 5, tzinfo=UTC),
        seconds=152.0,
    )  # fmt: skip
    return replace(made, **changes)
