"""The study of AlexNet: overlapping pooling, local response normalization and dropout, each taken out."""

from collections.abc import Sequence
from dataclasses import replace

from verydeep.study.experiments.variants import trials_of
from verydeep.study.statistics import Contrast, conclusions
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.recipe import Recipe

WHOLE = "16k5 L Mk3s2p1 32k5 L Mk3s2p1 48 48 32 Mk3s2p1 | pool4 128 128"
"""Five convolutions and two hidden layers in AlexNet's order, for 28 px. The padding gives pools that
overlap the maps of those that do not, except the last."""
VARIANTS = {
    "whole": (WHOLE, 0.5),
    "no overlap": (WHOLE.replace("Mk3s2p1", "M").replace("pool4", "pool3"), 0.5),
    "no LRN": (WHOLE.replace(" L", ""), 0.5),
    "no dropout": (WHOLE, 0.0),
}
"""Architecture string and dropout."""
IMAGES, EPOCHS, SEEDS = 6_000, 20, 3
FULL_EPOCHS, FULL_SEEDS = 8, 5


RECIPE = Recipe(
    norm="none",
    batch_size=64,
    optimizer=OptimizerConfig(name="sgd", lr=0.02, momentum=0.9, weight_decay=5e-4),
    schedule=ScheduleConfig(name="linear", warmup=0.1),
)


def _trials(full: bool) -> tuple[Trial, ...]:
    epochs = FULL_EPOCHS if full else EPOCHS
    recipes = {
        name: replace(RECIPE, model=string, dropout=dropout, epochs=epochs)
        for name, (string, dropout) in VARIANTS.items()
    }
    return trials_of(recipes, None if full else IMAGES, FULL_SEEDS if full else SEEDS)


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    return conclusions(
        outcomes,
        (
            Contrast("no overlap", "whole", "pools that overlap and pools that do not", "worse"),
            Contrast("no LRN", "whole", "with and without local response normalization", "worse"),
            Contrast("no dropout", "whole", "with and without dropout", "worse"),
        ),
    )


STUDY = Study(
    name="alexnet",
    title="What made AlexNet?",
    question="A small AlexNet whole, without the overlap of its pools, without local response normalization, "
    "and without dropout: which of the three does it need?",
    source="Krizhevsky et al. 2012, sections 3.3, 3.4 and 4.2",
    protocol="Five convolutions (5x5, 5x5, then 3x3) with 16 to 48 channels and two hidden layers of 128 "
    "units, images of 28 px, no batch norm, He initialization; SGD with momentum 0.9, learning rate 0.02 "
    "with linear warmup for a tenth of the steps and linear decay, weight decay 5e-4, batch size 64, no "
    "augmentation. Pools without overlap give maps of 3x3 instead of 4x4 to the head.",
    trials=_trials,
    conclude=_conclude,
    published=PublishedTable(
        caption="ImageNet (ILSVRC-2010), by how much each lowers the error",
        header=("part", "top-1 error", "top-5 error"),
        rows=(
            ("overlapping pools (section 3.4)", "0.4 %", "0.3 %"),
            ("local response normalization (section 3.3)", "1.4 %", "1.2 %"),
            ("dropout (section 4.2)", "substantial overfitting without it", ""),
        ),
    ),
)
