"""One 5x5 convolution against two of 3x3 that see as far: the comparison of section 4.1 of the paper."""

from collections.abc import Sequence

from verydeep.study.depth import LINES as PAPER
from verydeep.study.depth import PROTOCOL, vgg_trials
from verydeep.study.statistics import Contrast, verdicts
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial

LINES = {
    "one 5x5": "8k5 M 16k5 M 32k5 M 64k5 M 64k5 M | gap 128 128",
    "two 3x3": PAPER["B"],
}


def _trials(full: bool) -> tuple[Trial, ...]:
    return vgg_trials(LINES, full)


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    parameters = {outcome.variant: outcome.parameters for outcome in outcomes}
    weights = 1 - parameters["two 3x3"] / parameters["one 5x5"]
    return (
        *verdicts(
            outcomes, [Contrast("two 3x3", "one 5x5", "Putting two 3x3 in place of each 5x5", "helps")]
        ),
        f"Both see as far; the net of 3x3 has {weights:.0%} fewer parameters.",
    )


STUDY = Study(
    name="kernel",
    title="One 5x5, or two 3x3?",
    question="Net B beside the shallow net in which each pair of its 3x3 convolutions is one 5x5: the same "
    "receptive field, one ReLU less a stage, and more weights.",
    source="Simonyan and Zisserman 2014, arXiv 1409.1556, sections 2.3 and 4.1",
    protocol=PROTOCOL,
    trials=_trials,
    conclude=_conclude,
    published=PublishedTable(
        caption="ImageNet, one center crop (section 4.1)",
        header=("network", "top-1 error"),
        rows=(("B, two 3x3", "the reference"), ("one 5x5 for each pair", "7 % higher")),
    ),
)
