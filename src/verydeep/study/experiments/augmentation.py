"""The study of data augmentation: accuracy, and the gap between training and test images."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from verydeep.data.augmentation.config import AugmentConfig
from verydeep.study.experiments.variants import trials_of
from verydeep.study.statistics import Contrast, conclusions
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial, by_variant
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.recipe import Recipe

NETWORK = "16x2 M 32x2 M 64x2 M | gap 64"
AUGMENTATIONS = {
    "none": AugmentConfig(),
    "flips": AugmentConfig(flip="random"),
    "shifts": AugmentConfig(shift=2),
    "crops": AugmentConfig(crop=0.5),
    "cutout": AugmentConfig(cutout=8),
    "mixup": AugmentConfig(mixup=1.0),
}
IMAGES, EPOCHS, SEEDS = 6_000, 15, 3
FULL_EPOCHS, FULL_SEEDS = 15, 5


RECIPE = Recipe(
    model=NETWORK,
    norm="batch",
    dropout=0.0,
    batch_size=64,
    validation=0.1,
    optimizer=OptimizerConfig(name="sgd", lr=0.05, momentum=0.9, weight_decay=5e-4),
    schedule=ScheduleConfig(name="linear", warmup=0.1),
)


def _trials(full: bool) -> tuple[Trial, ...]:
    epochs = FULL_EPOCHS if full else EPOCHS
    recipes = {
        name: replace(RECIPE, augment=augment, epochs=epochs) for name, augment in AUGMENTATIONS.items()
    }
    return trials_of(recipes, None if full else IMAGES, FULL_SEEDS if full else SEEDS)


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    contrasts = [
        Contrast(
            name,
            "none",
            f"training without augmentation and with {name}",
            "better" if name in ("cutout", "mixup") else None,
        )
        for name in AUGMENTATIONS
        if name != "none"
    ]
    gaps = {name: gap for name, runs in by_variant(outcomes).items() if (gap := _gap(runs)) is not None}
    found = "; ".join(f"{name} {100 * gap:.1f}" for name, gap in gaps.items())
    return (
        *conclusions(outcomes, contrasts),
        f"Training minus test accuracy, in points: {found or 'not measured'}.",
    )


def _gap(runs: Sequence[Outcome]) -> float | None:
    """The mean of training minus test accuracy."""
    gaps = [
        run.train_top1 - run.test_top1
        for run in runs
        if run.train_top1 is not None and run.test_top1 is not None
    ]
    return fmean(gaps) if gaps else None


STUDY = Study(
    name="augmentation",
    title="What does augmentation bring?",
    question="One network without augmentation, and with flips, shifts, random resized crops, cutout or "
    "mixup: which of them raises the test accuracy, and by how much does each shrink the gap between "
    "training and test images?",
    source="Krizhevsky et al. 2012, section 4.1; DeVries and Taylor 2017, arXiv 1708.04552; Zhang et al. "
    "2018, arXiv 1710.09412",
    protocol=f"{NETWORK} with batch norm; flips with probability 0.5, shifts of up to 2 px, crops of at "
    "least half of the area, cutout of 8 px, mixup with alpha 1. SGD with momentum 0.9, learning rate 0.05 "
    "with linear warmup for a tenth of the steps and linear decay, weight decay 5e-4, batch size 64. A "
    "tenth of the training images gives the validation curves and decides nothing.",
    trials=_trials,
    conclude=_conclude,
    published=PublishedTable(
        caption="CIFAR-10, test error without and with the augmentation",
        header=("paper", "network", "augmentation", "without", "with"),
        rows=(
            ("DeVries and Taylor 2017", "ResNet-18", "cutout", "10.63 %", "9.31 %"),
            ("DeVries and Taylor 2017", "ResNet-18, with flips and shifts", "cutout", "4.72 %", "3.99 %"),
            ("Zhang et al. 2018", "PreAct ResNet-18, with flips and shifts", "mixup", "5.6 %", "4.2 %"),
        ),
    ),
)
