"""Which beginnings let D and E learn without batch norm? Section 3.1 of the paper, and what came after it."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from verydeep.models.initialization import Init
from verydeep.study.depth import LINES, vgg_trials
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial

INITS: dict[str, Init] = {
    "N(0, 0.01)": "normal-0.01",
    "N(0, 0.1)": "normal-0.1",
    "Glorot": "glorot",
    "He": "he",
}
"""By standard deviation, or by name."""
GROWN = "grown from A"
LEARNED = 0.5
"""A test accuracy of ten classes from which on a network counts as learning: far from chance, 0.1."""


def _trials(full: bool) -> tuple[Trial, ...]:
    donors = tuple(replace(trial, group="A", variant="He") for trial in vgg_trials({"A": LINES["A"]}, full))
    return donors + tuple(
        trial
        for net in ("D", "E")
        for donor, seeded in zip(donors, vgg_trials({net: LINES[net]}, full), strict=True)
        for trial in _beginnings(replace(seeded, group=net), donor)
    )


def _beginnings(trial: Trial, donor: Trial) -> list[Trial]:
    drawn = [
        replace(trial, variant=name, recipe=replace(trial.recipe, init=init)) for name, init in INITS.items()
    ]
    return [*drawn, replace(trial, variant=GROWN, grows_from=donor)]


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    sentences = []
    for net in ("D", "E"):
        said = []
        for variant in (*INITS, GROWN):
            runs = [run for run in outcomes if (run.group, run.variant) == (net, variant)]
            learned = [run.test_top1 for run in runs if run.test_top1 is not None and run.test_top1 > LEARNED]
            mean = f", mean {fmean(learned):.1%}" if learned else ""
            said.append(f"{variant} in {len(learned)} of {len(runs)}{mean}")
        sentences.append(f"{net} learns from " + "; ".join(said) + ".")
    return (
        *sentences,
        "The paper grew its deep nets from A because random beginnings stalled, and found later that "
        "Glorot's serves too.",
    )


STUDY = Study(
    name="init",
    title="Why depth needs a good beginning",
    question="D and E without batch norm from five beginnings: from which do they learn at all?",
    source="Simonyan and Zisserman 2014, section 3.1; Glorot and Bengio 2010; He et al. 2015, 1502.01852",
    protocol="As in the study of depth. The standard deviations 0.01 and 0.1 are those of the papers, not "
    "adapted to the smaller number of channels, with which a layer passes on less than on ImageNet; He's "
    "and Glorot's adapt themselves. A, from which D and E are grown, begins from He's.",
    trials=_trials,
    conclude=_conclude,
    published=PublishedTable(
        caption="What the papers say, on ImageNet",
        header=("beginning", "finding"),
        rows=(
            ("N(0, 0.1), the paper's", "trains A; deeper nets stall"),
            ("grown from A", "trains B to E (first four convolutions, fully connected layers)"),
            ("Glorot", "trains them without A, as found after submission"),
            ("He 2015", "trains nets of 30 layers where Glorot's stalls"),
        ),
    ),
)
