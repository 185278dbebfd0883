"""The study of one 5x5 and two 3x3 convolutions with the same receptive field: VGG paper, section 4.1."""

from collections.abc import Sequence

from verydeep.study.experiments import depth
from verydeep.study.experiments.depth import PROTOCOL, WITH, WITHOUT, vgg_trials
from verydeep.study.statistics import Contrast, conclusions
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial, by_group

ARCHITECTURES = {
    "one 5x5": "8k5 M 16k5 M 32k5 M 64k5 M 64k5 M | gap 128 128",
    "two 3x3": depth.ARCHITECTURES["B"],
}
FULL_RATES = {"one 5x5": 0.04, "two 3x3": depth.FULL_RATES["B"]}
NORMALIZED_FULL_RATES = {"one 5x5": 0.08, "two 3x3": 0.08}
"""Both chosen as those of depth."""


def _trials(full: bool) -> tuple[Trial, ...]:
    return (
        *vgg_trials(ARCHITECTURES, full, FULL_RATES, group=WITHOUT),
        *vgg_trials(ARCHITECTURES, full, NORMALIZED_FULL_RATES, norm="batch", group=WITH),
    )


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    groups = by_group(outcomes)
    findings = (
        finding
        for group in (WITH, WITHOUT)  # first the networks that learn in so few epochs
        for finding in conclusions(
            groups.get(group, []),
            [Contrast("two 3x3", "one 5x5", f"large kernels and stacks of small kernels, {group}", "better")],
        )
    )
    return (*findings, _fewer_parameters(groups.get(WITHOUT, [])))


def _fewer_parameters(outcomes: Sequence[Outcome]) -> str:
    parameters = {outcome.variant: outcome.parameters for outcome in outcomes}
    fewer = 1 - parameters["two 3x3"] / parameters["one 5x5"]
    return f"Both have the same receptive field; the net with 3x3 has {fewer:.0%} fewer parameters."


STUDY = Study(
    name="kernel",
    title="One 5x5, or two 3x3?",
    question="Net B, and a shallower net with one 5x5 convolution for each pair of 3x3 convolutions: the "
    "same receptive field, one ReLU less per stage, and more weights. Which has the higher accuracy?",
    source="Simonyan and Zisserman 2014, arXiv 1409.1556, sections 2.3 and 4.1",
    protocol=f"{PROTOCOL} Both are trained without batch norm and with it.",
    trials=_trials,
    conclude=_conclude,
    published=PublishedTable(
        caption="ImageNet, one center crop (section 4.1)",
        header=("network", "top-1 error"),
        rows=(("B, two 3x3", "the reference"), ("one 5x5 for each pair", "7 % higher")),
    ),
)
