"""The study of depth, local response normalization and 1x1 convolutions: Table 3 of the VGG paper."""

from collections.abc import Sequence
from dataclasses import replace

from verydeep.architecture.architecture import Norm
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.study.statistics import Contrast, conclusions
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial, by_group
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.recipe import Recipe

ARCHITECTURES = {
    "A": "8 M 16 M 32x2 M 64x2 M 64x2 M | gap 128 128",
    "A-LRN": "8 L M 16 M 32x2 M 64x2 M 64x2 M | gap 128 128",
    "B": "8x2 M 16x2 M 32x2 M 64x2 M 64x2 M | gap 128 128",
    "C": "8x2 M 16x2 M 32x2 32k1 M 64x2 64k1 M 64x2 64k1 M | gap 128 128",
    "D": "8x2 M 16x2 M 32x3 M 64x3 M 64x3 M | gap 128 128",
    "E": "8x2 M 16x2 M 32x4 M 64x4 M 64x4 M | gap 128 128",
}
"""The columns of the paper's Table 1 with one eighth of the channels and a small head."""

RECIPE = Recipe(
    size=32,  # five pools reduce 32 px to 1
    norm="none",
    init="he",
    dropout=0.0,
    epochs=10,
    batch_size=64,
    optimizer=OptimizerConfig(name="sgd", lr=0.02, momentum=0.9, weight_decay=5e-4),
    schedule=ScheduleConfig(name="linear", warmup=0.1),
    augment=AugmentConfig(flip="random"),
)
"""SGD as in the paper (section 3.1), for a few epochs; without dropout, which needs many more epochs."""
FULL_RATES = {"A": 0.04, "A-LRN": 0.04, "B": 0.01, "C": 0.02, "D": 0.01, "E": 0.01}
"""The learning rates of the full study, each the best of 0.01, 0.02 and 0.04 on validation images
(benchmarks/study_rates.py, docs/studies.md)."""
NORMALIZED = ("A", "D", "E")
"""The networks that are also trained with batch norm."""
NORMALIZED_FULL_RATES = {"A": 0.04, "D": 0.04, "E": 0.08}
"""Theirs, chosen in the same way of 0.02, 0.04 and 0.08."""
WITHOUT, WITH = "without batch norm", "with batch norm"
PROTOCOL = (
    "One eighth of the paper's channels, two hidden layers of 128 units, images of 32 px, He "
    "initialization; SGD with momentum 0.9, weight decay 5e-4, linear warmup for a tenth of the steps and "
    "linear decay, batch size 64, random flips. The learning rate is 0.02; in the full study it was chosen "
    "for each network on validation images."
)
IMAGES, SEEDS = 6_000, 3
FULL_EPOCHS, FULL_SEEDS = 12, 5


def vgg_trials(
    architectures: dict[str, str],
    full: bool,
    rates: dict[str, float] = FULL_RATES,
    *,
    norm: Norm = "none",
    group: str = "",
) -> tuple[Trial, ...]:
    """A trial for each architecture and seed; ``full`` has all images, more epochs, seeds, and ``rates``."""
    return tuple(
        Trial(
            group=group,
            variant=name,
            recipe=_full(recipe, rates[name]) if full else recipe,
            images=None if full else IMAGES,
        )
        for name, string in architectures.items()
        for seed in range(FULL_SEEDS if full else SEEDS)
        for recipe in [replace(RECIPE, model=string, norm=norm, seed=seed)]
    )


def _full(recipe: Recipe, rate: float) -> Recipe:
    return replace(recipe, epochs=FULL_EPOCHS, optimizer=replace(recipe.optimizer, lr=rate))


def _trials(full: bool) -> tuple[Trial, ...]:
    normalized = {name: ARCHITECTURES[name] for name in NORMALIZED}
    return (
        *vgg_trials(ARCHITECTURES, full, group=WITHOUT),
        *vgg_trials(normalized, full, NORMALIZED_FULL_RATES, norm="batch", group=WITH),
    )


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    groups = by_group(outcomes)
    without = conclusions(
        groups.get(WITHOUT, []),
        (
            Contrast("D", "A", "11 and 16 layers, without batch norm", "better"),
            Contrast("E", "D", "16 and 19 layers, without batch norm", "no difference"),
            Contrast("A-LRN", "A", "nets without and with local response normalization", "no difference"),
            Contrast("C", "B", "nets without and with three additional 1x1 convolutions", "better"),
            Contrast("D", "C", "three additional 1x1 and three additional 3x3 convolutions", "better"),
        ),
    )
    with_norm = conclusions(
        groups.get(WITH, []),
        (
            Contrast("D", "A", "11 and 16 layers, with batch norm", "better"),
            Contrast("E", "D", "16 and 19 layers, with batch norm", "no difference"),
        ),
    )
    # Both answers to a question stand together, first those of the networks that learn in so few epochs.
    return (with_norm[0], without[0], with_norm[1], *without[1:])


STUDY = Study(
    name="depth",
    title="Does depth help?",
    question="The six networks of the paper's Table 1 with the same training: does accuracy rise with depth, "
    "does local response normalization help, and do 1x1 convolutions help less than 3x3?",
    source="Simonyan and Zisserman 2014, arXiv 1409.1556, sections 2.3 and 4.1, Table 3",
    protocol=f"{PROTOCOL} All are trained without batch norm; A, D and E also with it.",
    trials=_trials,
    conclude=_conclude,
    published=PublishedTable(
        caption="ImageNet, one scale of 256 px (Table 3)",
        header=("network", "top-1 error", "top-5 error"),
        rows=(
            ("A", "29.6 %", "10.4 %"),
            ("A-LRN", "29.7 %", "10.5 %"),
            ("B", "28.7 %", "9.9 %"),
            ("C", "28.1 %", "9.4 %"),
            ("D", "27.0 %", "8.8 %"),
            ("E", "27.3 %", "9.0 %"),
        ),
    ),
)
