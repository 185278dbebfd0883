"""How much of a result on a small set is the luck of the split?"""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

from verydeep.data.augment import AugmentConfig
from verydeep.study.trial import Outcome, Study, Trial
from verydeep.train.optimizer import OptimizerConfig
from verydeep.train.recipe import Recipe
from verydeep.train.schedule import ScheduleConfig

IMAGES = 1000
SPLITS, SEEDS = "the split differs", "the seed differs"


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
    of = {
        name: [run.test_top1 for run in outcomes if run.variant == name and run.test_top1 is not None]
        for name in (SPLITS, SEEDS)
    }
    if min(map(len, of.values())) < 2:
        return ("Not measured: fewer than two runs of a kind were finished.",)
    splits, seeds = of[SPLITS], of[SEEDS]
    mean, tested = fmean(splits), IMAGES // 5
    counted = sqrt(mean * (1 - mean) / tested)
    return (
        f"The same {IMAGES:,} images, network and seed: over {len(splits)} splits the accuracy on the fifth "
        f"held back runs from {min(splits):.1%} to {max(splits):.1%} (standard deviation "
        f"{100 * stdev(splits):.1f} points).",
        f"With the split kept and the seed changed, the standard deviation is {100 * stdev(seeds):.1f} "
        f"points over {len(seeds)} seeds.",
        f"Counting {tested} images alone makes {100 * counted:.1f} points, so that results on two splits "
        f"that lie less than {100 * 2 * sqrt(2) * counted:.0f} points apart say nothing.",
    )


STUDY = Study(
    name="split",
    title="The luck of the split",
    question="Four fifths of 1,000 images to train on, a fifth to test: how far does the result move when "
    "only the split is drawn anew, and how far when only the seed of training is?",
    source="Bouthillier et al. 2021, arXiv 2103.03098, who take apart what makes results vary",
    protocol="16 M 32 M 64 M | pool3 64 with batch norm, 20 epochs of SGD at 0.05 falling in a straight "
    "line, batch 50, flips; splits are stratified.",
    trials=_trials,
    conclude=_conclude,
)
