"""The study of weight initialization without batch norm: section 3.1 of the VGG paper, and later methods."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from verydeep.models.init_method import Init
from verydeep.study.experiments.depth import ARCHITECTURES, vgg_trials
from verydeep.study.statistics import Contrast, conclusions
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial

INITS: dict[str, Init] = {
    "N(0, 0.01)": "normal-0.01",
    "N(0, 0.1)": "normal-0.1",
    "Glorot": "glorot",
    "He": "he",
}
"""Random initializations: by standard deviation, or by name."""
FROM_A = "initialized from A"
NETWORKS = ("D", "E")
LEARNED = 0.5
"""A network has learned with more than this share of the highest test accuracy of all, and of chance twice as
much; with few classes, more than half way from chance to 1."""


def least_learned(outcomes: Sequence[Outcome]) -> float:
    """The test accuracy above which a run has learned."""
    highest = max((run.test_top1 or 0.0 for run in outcomes), default=0.0)
    return max([LEARNED * highest, *(_above_chance(run.classes) for run in outcomes)])


def _above_chance(classes: int) -> float:
    return min(2 / classes, (1 + 1 / classes) / 2)


def _trials(full: bool) -> tuple[Trial, ...]:
    trials_of_a = tuple(
        replace(trial, group="A", variant="He") for trial in vgg_trials({"A": ARCHITECTURES["A"]}, full)
    )
    return trials_of_a + tuple(
        trial
        for net in NETWORKS
        for trial_of_a, base in zip(trials_of_a, vgg_trials({net: ARCHITECTURES[net]}, full), strict=True)
        for trial in _initializations(replace(base, group=net), trial_of_a)
    )


def _initializations(trial: Trial, trial_of_a: Trial) -> list[Trial]:
    random = [
        replace(trial, variant=name, recipe=replace(trial.recipe, init=init)) for name, init in INITS.items()
    ]
    return [*random, replace(trial, variant=FROM_A, initialized_from=trial_of_a)]


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    sentences, least = [], least_learned(outcomes)
    for net in NETWORKS:
        counts = []
        for variant in (*INITS, FROM_A):
            runs = [run for run in outcomes if (run.group, run.variant) == (net, variant)]
            learned = [run.test_top1 for run in runs if run.test_top1 is not None and run.test_top1 > least]
            mean = f", mean {fmean(learned):.1%}" if learned else ""
            counts.append(f"{variant}: {len(learned)} of {len(runs)}{mean}")
        sentences.append(f"Runs of {net} that learned. " + "; ".join(counts) + ".")
    return (
        *sentences,
        *(finding for net in NETWORKS for finding in _from_a_and_he(net, outcomes)),
        "The paper initialized its deep nets from A because random initialization stalled, and found later "
        "that Glorot initialization works too.",
    )


def _from_a_and_he(net: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    contrast = Contrast(FROM_A, "He", f"two initializations of {net}", None)
    return conclusions([run for run in outcomes if run.group == net], [contrast])


STUDY = Study(
    name="init",
    title="Why deep networks need good initialization",
    question="D and E without batch norm, with five initializations: with which of them do they learn?",
    source="Simonyan and Zisserman 2014, section 3.1; Glorot and Bengio 2010; He et al. 2015, 1502.01852",
    protocol="As in the study of depth. The standard deviations 0.01 and 0.1 are those of the papers. They "
    "are not adapted to the smaller number of channels, so that the signal shrinks more per layer than on "
    "ImageNet; He and Glorot initialization adapt to it. A, from which D and E are initialized, has He "
    "initialization. In the full study the learning rates are those of depth, which were chosen with He.",
    trials=_trials,
    conclude=_conclude,
    published=PublishedTable(
        caption="Findings of the papers, on ImageNet",
        header=("initialization", "finding"),
        rows=(
            ("N(0, 0.1), of the paper", "trains A; deeper nets stall"),
            ("initialized from A", "trains B to E (first four convolutions, fully connected layers)"),
            ("Glorot", "trains them without A, found after submission"),
            ("He 2015", "trains nets of 30 layers where Glorot initialization stalls"),
        ),
    ),
)
