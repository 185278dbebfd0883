"""The study of variance: how much the accuracy on a small data set depends on the train/test split."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

from verydeep.data.augmentation.config import AugmentConfig
from verydeep.study.trial import Outcome, Study, Trial
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.recipe import Recipe

IMAGES = 1000
SPLITS, SEEDS = "different splits", "different seeds"


def _trials(full: bool) -> tuple[Trial, ...]:
    count = 100 if full else 20
    by_split = (
        Trial(variant=SPLITS, recipe=_recipe(0), images=IMAGES, split=split) for split in range(count)
    )
    by_seed = (Trial(variant=SEEDS, recipe=_recipe(seed), images=IMAGES, split=0) for seed in range(count))
    return (*by_split, *by_seed)


def _recipe(seed: int) -> Recipe:
    return Recipe(
        model="16 M 32 M 64 M | pool3 64",
        norm="batch",
        dropout=0.0,
        epochs=20,
        batch_size=50,
        seed=seed,
        optimizer=OptimizerConfig(name="sgd", lr=0.05, momentum=0.9, weight_decay=5e-4),
        schedule=ScheduleConfig(name="linear"),
        augment=AugmentConfig(flip="random"),
    )


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    accuracies = {
        name: [run.test_top1 for run in outcomes if run.variant == name and run.test_top1 is not None]
        for name in (SPLITS, SEEDS)
    }
    if min(map(len, accuracies.values())) < 2:
        return ("Not measured: a variant has fewer than two finished runs.",)
    splits, seeds = accuracies[SPLITS], accuracies[SEEDS]
    mean, tested = fmean(splits), IMAGES // 5
    sampling_error = sqrt(mean * (1 - mean) / tested)
    return (
        f"With the same {IMAGES:,} images, network and seed, the test accuracy ranges from {min(splits):.1%} "
        f"to {max(splits):.1%} over {len(splits)} splits (standard deviation {100 * stdev(splits):.1f} "
        "points).",
        f"With the same split and different seeds, the standard deviation is {100 * stdev(seeds):.1f} points "
        f"over {len(seeds)} seeds.",
        f"The sampling error of {tested} test images alone is {100 * sampling_error:.1f} points: results on "
        f"two splits that differ by less than {100 * 2 * sqrt(2) * sampling_error:.0f} points are not "
        "significantly different.",
    )


STUDY = Study(
    name="split",
    title="Variance from the data split",
    question="Four fifths of 1,000 images for training, one fifth for testing: how much does the accuracy "
    "vary when only the split changes, and how much when only the training seed changes?",
    source="Bouthillier et al. 2021, arXiv 2103.03098, on the sources of variance in benchmarks",
    protocol="16 M 32 M 64 M | pool3 64 with batch norm, 20 epochs of SGD, learning rate 0.05 with linear "
    "decay, batch size 50, random flips; splits are stratified.",
    trials=_trials,
    conclude=_conclude,
)
