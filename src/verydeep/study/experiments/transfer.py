"""The study of transfer learning: linear probe, fine-tuning and training from scratch on few images."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from verydeep.study.experiments.few_images import NETWORK, TARGET, recipe, source_trial
from verydeep.study.statistics import Estimate, difference, effect_of, gain_text
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial
from verydeep.train.recipe import Recipe

PROBE, FINE_TUNED, SCRATCH = "linear probe", "fine-tuned", "from scratch"
COUNTS = (5, 10, 20, 50, 100, 500)
"""Training images of each class; the full study has all of them too."""
EVERY = "all images a class"
SEEDS, FULL_SEEDS = 3, 5


def _trials(full: bool) -> tuple[Trial, ...]:
    return tuple(trial for seed in range(FULL_SEEDS if full else SEEDS) for trial in _of_seed(seed, full))


def _of_seed(seed: int, full: bool) -> Iterator[Trial]:
    source = source_trial(seed, full)
    yield source
    base = replace(recipe(seed), model=NETWORK, norm="batch", epochs="auto")
    slower = replace(base.optimizer, lr=0.003)
    for count in (*COUNTS, *((None,) if full else ())):
        target = replace(from_scratch(base, count), classes=TARGET)
        tuned = replace(target, kind="fine-tuning", initialized_from=source)
        yield replace(tuned, variant=PROBE, recipe=replace(base, freeze="all"))
        yield replace(tuned, variant=FINE_TUNED, recipe=replace(base, optimizer=slower))
        yield target


def from_scratch(base: Recipe, count: int | None) -> Trial:
    """A training on ``count`` images of each class."""
    return Trial(
        group=EVERY if count is None else f"{count} images a class",
        variant=SCRATCH,
        images_per_class=count,
        images_seed=base.seed,
        recipe=base,
    )


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    groups = list(dict.fromkeys(run.group for run in outcomes if run.variant == SCRATCH))
    return (
        _crossing(outcomes, groups, SCRATCH, PROBE),
        _crossing(outcomes, groups, FINE_TUNED, PROBE),
        _crossing(outcomes, groups, SCRATCH, FINE_TUNED),
        *(
            f"With {group}, training from scratch minus the linear probe: {gain_text(gain)}."
            for group in groups
            if (gain := _gain(outcomes, group, SCRATCH, PROBE)) is not None
        ),
    )


def _crossing(outcomes: Sequence[Outcome], groups: Sequence[str], variant: str, baseline: str) -> str:
    """With which numbers of images ``variant`` differs significantly from ``baseline``."""
    effects = {
        group: effect_of(gain)
        for group in groups
        if (gain := _gain(outcomes, group, variant, baseline)) is not None and gain.count > 1
    }
    if not effects:
        return f"Not decided: fewer than two seeds have finished both, {variant} and {_with(baseline)}."
    found = [
        f"significantly {effect} with {_numbers(same)}"
        for effect in ("worse", "better")
        if (same := [group for group, of_group in effects.items() if of_group == effect])
    ]
    compared = f"{variant.capitalize()}, compared with {_with(baseline)}"
    return f"{compared}: {', and '.join(found) or 'no significant difference with any number of images'}."


def _numbers(groups: Sequence[str]) -> str:
    """``5, 10, 20 images a class``."""
    return ", ".join([*(group.split()[0] for group in groups[:-1]), *groups[-1:]])


def _with(variant: str) -> str:
    return {PROBE: "the linear probe", FINE_TUNED: "fine-tuning"}[variant]


def _gain(outcomes: Sequence[Outcome], group: str, variant: str, baseline: str) -> Estimate | None:
    runs, others = (
        [run for run in outcomes if (run.group, run.variant) == (group, name)] for name in (variant, baseline)
    )
    return difference(runs, others)


STUDY = Study(
    name="transfer",
    title="Frozen, fine-tuned, or from scratch?",
    question="Five classes to learn from 5 to 500 images each (all of them in the full study), with a "
    "network that was trained on the other five: is a linear probe on its frozen features best, "
    "fine-tuning, or training from scratch, and where do the curves cross?",
    source="Yosinski et al. 2014, arXiv 1411.1792; Kornblith et al. 2019, arXiv 1805.08974",
    protocol=f"{NETWORK} with batch norm, first trained on Trouser, Dress, Coat, Sandal and Sneaker. Target "
    "classes: T-shirt/top, Pullover, Shirt, Bag and Ankle boot; each seed has other images. 20 epochs, or "
    "more where these are fewer than 500 steps; SGD with momentum 0.9, learning rate 0.05 (fine-tuning "
    "0.003) with linear warmup for a tenth of the steps and linear decay, weight decay 5e-4, batch size 50. "
    "The rates were fixed beforehand; that of fine-tuning was 0.01, and was lowered as with it 8 of 15 runs "
    "on 5 to 20 images a class did not learn their training images.",
    trials=_trials,
    conclude=_conclude,
    takes_weights=True,
    published=PublishedTable(
        caption="Findings of the papers",
        header=("paper", "finding"),
        rows=(
            (
                "Yosinski et al. 2014",
                "first layers transfer well between halves of ImageNet's classes, later less",
            ),
            ("Yosinski et al. 2014", "transferred and fine-tuned is better than trained on the target alone"),
            ("Kornblith et al. 2019", "the fewer images a class, the more pretraining brings"),
        ),
    ),
)
