"""The study of transfer learning: linear probe, fine-tuning and training from scratch on few images."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from verydeep.architecture.layer_names import stage_starts
from verydeep.data.images import Dataset
from verydeep.download.download import Progress
from verydeep.errors import DataError
from verydeep.study.experiments.few_images import NETWORK, TARGET, recipe, source_trial
from verydeep.study.statistics import Estimate, difference, effect_of, gain_text
from verydeep.study.study_data import SIZE
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.recipe import Recipe
from verydeep.train.start.pretrained import pretrained_network

PROBE, FINE_TUNED, SCRATCH = "linear probe", "fine-tuned", "from scratch"
COUNTS = (5, 10, 20, 50, 100, 500)
"""Training images of each class; the full study has all of them too."""
EVERY = "all images a class"
SEEDS, FULL_SEEDS = 3, 5
TUNING_BATCH, TUNING_STEPS = 25, 200
"""Of fine-tuning published weights: batch size, and minimum number of steps."""
TUNED = 2
"""The last stages that it trains."""


def _trials(full: bool) -> tuple[Trial, ...]:
    return tuple(trial for seed in range(FULL_SEEDS if full else SEEDS) for trial in _of_seed(seed, full))


def _of_seed(seed: int, full: bool) -> Iterator[Trial]:
    source = source_trial(seed, full)
    yield source
    base = replace(recipe(seed), model=NETWORK, norm="batch", epochs="auto")
    slower = replace(base.optimizer, lr=0.01)
    for count in (*COUNTS, *((None,) if full else ())):
        target = replace(_from_scratch(base, count), classes=TARGET)
        tuned = replace(target, kind="fine-tuning", initialized_from=source)
        yield replace(tuned, variant=PROBE, recipe=replace(base, freeze="all"))
        yield replace(tuned, variant=FINE_TUNED, recipe=replace(base, optimizer=slower))
        yield target


def _from_scratch(base: Recipe, count: int | None) -> Trial:
    """A training on ``count`` images of each class."""
    return Trial(
        group=EVERY if count is None else f"{count} images a class",
        variant=SCRATCH,
        images_per_class=count,
        images_seed=base.seed,
        recipe=base,
    )


def _with_weights(weights: str, dataset: Dataset, progress: Progress | None = None) -> Study:
    """The study of all classes of ``dataset``, with published weights.

    Raises:
        CheckpointError: where there are no such weights.
        DataError: where a class has fewer images than the smallest number of ``COUNTS``.
    """
    sizes = dataset.train.labels.bincount(minlength=len(dataset.classes))
    if int(sizes.min()) < COUNTS[0]:
        raise DataError(
            f"{dataset.classes[int(sizes.argmin())]!r} has {int(sizes.min())} training images, and transfer "
            f"needs {COUNTS[0]} of each class; add images, or leave this class out"
        )
    channels = dataset.train.image_shape[0]
    network = pretrained_network(weights, None, "gap", dataset.classes, 0, channels, progress)
    frozen = max(0, len(stage_starts(network.model.architecture)) - TUNED)
    return replace(
        STUDY,
        question="A linear probe on the frozen features of published weights, fine-tuning, or a small "
        "network trained from scratch: which is best for how many training images, and where do the curves "
        "cross?",
        protocol=f"{weights} with global average pooling, and {NETWORK} with batch norm from scratch; images "
        f"of {SIZE} px; each seed has other training images. From scratch: 20 epochs, or more where these "
        "are fewer than 500 steps; SGD with momentum 0.9, learning rate 0.05. Linear probe: the same epochs; "
        f"AdamW, learning rate 0.001. Fine-tuning: the first {frozen} stages frozen; 5 epochs, or more where "
        f"these are fewer than {TUNING_STEPS} steps of {TUNING_BATCH} images; AdamW, learning rate 0.0001. "
        "All with linear warmup for a tenth of the steps and linear decay, weight decay 5e-4; nothing is "
        "done about class imbalance. The rates were fixed beforehand.",
        trials=partial(_published_trials, weights, frozen, tuple(sizes.tolist())),
        with_weights=None,
    )


def _published_trials(weights: str, frozen: int, sizes: tuple[int, ...], full: bool) -> tuple[Trial, ...]:
    return tuple(
        trial
        for seed in range(FULL_SEEDS if full else SEEDS)
        for trial in _with_published(weights, frozen, sizes, seed, full)
    )


def _with_published(
    weights: str, frozen: int, sizes: tuple[int, ...], seed: int, full: bool
) -> Iterator[Trial]:
    """The trials of one seed, with at most as many images a class as the smallest of ``sizes``."""
    base = replace(recipe(seed), size=SIZE, model=NETWORK, norm="batch", epochs="auto", balance="none")
    pretrained = replace(base, weights=weights, model=None, norm=None)
    adam = OptimizerConfig(name="adamw", lr=1e-3, weight_decay=5e-4)
    for count in (*(count for count in COUNTS if count <= min(sizes)), *((None,) if full else ())):
        target = _from_scratch(base, count)
        images = sum(sizes) if count is None else count * len(sizes)
        fine_tuned = replace(
            pretrained,
            freeze=frozen,
            batch_size=TUNING_BATCH,
            epochs=max(5, -(-TUNING_STEPS // max(1, images // TUNING_BATCH))),
            optimizer=replace(adam, lr=1e-4),
        )
        tuned = replace(target, kind="fine-tuning")
        yield replace(tuned, variant=PROBE, recipe=replace(pretrained, freeze="all", optimizer=adam))
        yield replace(tuned, variant=FINE_TUNED, recipe=fine_tuned)
        yield target


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
        if (gain := _gain(outcomes, group, variant, baseline)) is not None
    }
    if not any(effects.values()):
        return f"Not measured: no pair of finished runs {variant} and by {_with(baseline)}."
    found = [
        f"significantly {effect} with {_numbers(same)}"
        for effect in ("worse", "better")
        if (same := [group for group, found in effects.items() if found == effect])
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
    "0.01) with linear warmup for a tenth of the steps and linear decay, weight decay 5e-4, batch size 50. "
    "The rates were fixed beforehand.",
    trials=_trials,
    conclude=_conclude,
    with_weights=_with_weights,
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
