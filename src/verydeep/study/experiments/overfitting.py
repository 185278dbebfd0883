"""The study of overfitting: a long training on few images, and four remedies."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean

from verydeep.data.augmentation.config import AugmentConfig
from verydeep.study.experiments.few_images import NETWORK, TARGET, recipe, source_trial
from verydeep.study.statistics import Contrast, conclusions
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial
from verydeep.train.epoch_result import EpochResult
from verydeep.train.optimizer.schedule import ScheduleConfig

NOTHING, STOPPED, DECAY, AUGMENTED, FROZEN = (
    "no remedy", "stopping", "decay", "augmenting", "frozen",
)  # fmt: skip
WHOLE = f"{NETWORK} 256 256"
"""A whole VGG: with fully connected layers."""
TRAINING, VALIDATION = 250, 2_500
"""Images: 50 of each class to learn from, and many to measure on."""
EPOCHS, SEEDS = 100, 3
FULL_EPOCHS, FULL_SEEDS = 300, 5


def _trials(full: bool) -> tuple[Trial, ...]:
    return tuple(trial for seed in range(FULL_SEEDS if full else SEEDS) for trial in _of_seed(seed, full))


def _of_seed(seed: int, full: bool) -> Iterator[Trial]:
    source = source_trial(seed, full)
    yield source
    shared = recipe(seed)
    base = replace(
        shared,
        epochs=FULL_EPOCHS if full else EPOCHS,
        validation=VALIDATION / (TRAINING + VALIDATION),
        optimizer=replace(shared.optimizer, lr=0.02, weight_decay=0.0),
        schedule=ScheduleConfig(name="constant"),
    )
    whole = replace(base, model=WHOLE, norm="batch")
    decayed = replace(whole.optimizer, weight_decay=5e-3)
    augment = AugmentConfig(flip="random", shift=2, cutout=8)
    trial = Trial(
        variant=NOTHING, classes=TARGET, images=TRAINING + VALIDATION, images_seed=seed, recipe=whole
    )
    yield trial
    yield replace(trial, variant=STOPPED, recipe=replace(whole, keep="best", early_stopping=20))
    yield replace(trial, variant=DECAY, recipe=replace(whole, optimizer=decayed))
    yield replace(trial, variant=AUGMENTED, recipe=replace(whole, augment=augment))
    yield replace(
        trial,
        variant=FROZEN,
        kind="fine-tuning",
        initialized_from=source,
        recipe=replace(base, model=NETWORK, norm="batch", freeze="all"),
    )


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    contrasts = [
        Contrast(name, NOTHING, f"training without a remedy and with {what}", None)
        for name, what in {
            STOPPED: "early stopping",
            DECAY: "weight decay",
            AUGMENTED: "augmentation",
            FROZEN: "frozen features",
        }.items()
    ]
    return (
        _course([run for run in outcomes if run.variant == NOTHING and run.epochs]),
        *conclusions(outcomes, contrasts),
    )


def _course(runs: Sequence[Outcome]) -> str:
    """How accuracy and loss on validation images go without a remedy.

    Without an interval: the highest of many noisy values is above the last one even where nothing falls. What
    stopping in time brings is measured on the test images, by early stopping.
    """
    curves = [[result for result in run.epochs if result.val_top1 is not None] for run in runs]
    curves = [curve for curve in curves if curve]
    if not curves:
        return "Not measured: no run without a remedy is finished."
    peaks = [max(curve, key=_accuracy) for curve in curves]
    lowest = [min(curve, key=_loss) for curve in curves]
    last = [curve[-1] for curve in curves]
    growth = fmean(_loss(end) / _loss(low) for end, low in zip(last, lowest, strict=True))
    return (
        f"Without a remedy the accuracy on validation images is highest after epoch {_epochs(peaks)}, "
        f"{_mean(peaks)} in the mean, and {_mean(last)} at the end, after epoch {last[0].epoch}; the loss is "
        f"lowest after epoch {_epochs(lowest)}, and {growth:.1f} times as high at the end."
    )


def _mean(results: Sequence[EpochResult]) -> str:
    return f"{100 * fmean(map(_accuracy, results)):.1f} %"


def _loss(result: EpochResult) -> float:
    return result.val_loss or 0.0


def _accuracy(result: EpochResult) -> float:
    return result.val_top1 or 0.0


def _epochs(results: Sequence[EpochResult]) -> str:
    """``12 to 40``, over the runs."""
    ends = sorted({min(result.epoch for result in results), max(result.epoch for result in results)})
    return " to ".join(map(str, ends))


STUDY = Study(
    name="overfitting",
    title="Overfitting, and what helps",
    question="A whole VGG trained for hundreds of epochs on 50 images a class: does the accuracy on other "
    "images rise and then fall, and what do early stopping, weight decay, augmentation and frozen features "
    "each do about it?",
    source="Zhang et al. 2017, arXiv 1611.03530, Table 1; Prechelt 1998, Early Stopping - But When?",
    protocol=f"{WHOLE} with batch norm, without dropout and weight decay, on 250 images of five classes; "
    "2,500 others give the validation curve. SGD with momentum 0.9, constant learning rate 0.02, batch "
    "size 50. Early stopping: 20 epochs without a better validation result, and the best epoch is kept; it "
    "alone uses the labels of the 2,500. Weight decay 5e-3. Augmentation: flips, shifts of up to 2 px, "
    f"cutout of 8 px. Frozen features: the convolutions of {NETWORK} with batch norm, trained on the five "
    "other classes, and a new last layer.",
    trials=_trials,
    conclude=_conclude,
    published=PublishedTable(
        caption="Inception on CIFAR-10, every training image learned by heart (Zhang et al. 2017, Table 1)",
        header=("random crops", "weight decay", "training accuracy", "test accuracy"),
        rows=(
            ("yes", "yes", "100 %", "89.05 %"),
            ("yes", "no", "100 %", "89.31 %"),
            ("no", "yes", "100 %", "86.03 %"),
            ("no", "no", "100 %", "85.75 %"),
        ),
    ),
)
