"""The study of one 5x5 and two 3x3 convolutions with the same receptive field: VGG paper, section 4.1."""

from collections.abc import Sequence

from verydeep.study.experiments import depth
from verydeep.study.experiments.depth import PROTOCOL, vgg_trials
from verydeep.study.statistics import Contrast, conclusions
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial

ARCHITECTURES = {
    "one 5x5": "8k5 M 16k5 M 32k5 M 64k5 M 64k5 M | gap 128 128",
    "two 3x3": depth.ARCHITECTURES["B"],
}
FULL_RATES = {"one 5x5": 0.04, "two 3x3": depth.FULL_RATES["B"]}
"""Chosen as those of depth."""


def _trials(full: bool) -> tuple[Trial, ...]:
    return vgg_trials(ARCHITECTURES, full, FULL_RATES)


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    parameters = {outcome.variant: outcome.parameters for outcome in outcomes}
    weights = 1 - parameters["two 3x3"] / parameters["one 5x5"]
    return (
        *conclusions(
            outcomes, [Contrast("two 3x3", "one 5x5", "large kernels and stacks of small kernels", "better")]
        ),
        f"Both have the same receptive field; the net with 3x3 has {weights:.0%} fewer parameters.",
    )


STUDY = Study(
    name="kernel",
    title="One 5x5, or two 3x3?",
    question="Net B, and a shallower net with one 5x5 convolution for each pair of 3x3 convolutions: the "
    "same receptive field, one ReLU less per stage, and more weights. Which has the higher accuracy?",
    source="Simonyan and Zisserman 2014, arXiv 1409.1556, sections 2.3 and 4.1",
    protocol=f"{PROTOCOL} No batch norm.",
    trials=_trials,
    conclude=_conclude,
    published=PublishedTable(
        caption="ImageNet, one center crop (section 4.1)",
        header=("network", "top-1 error"),
        rows=(("B, two 3x3", "the reference"), ("one 5x5 for each pair", "7 % higher")),
    ),
)
