"""What a person would do well to know of a tuning, in plain words, the weightiest first."""

from collections.abc import Iterator

from verydeep.evaluate.confidence_intervals import wilson_interval
from verydeep.evaluate.score import Score
from verydeep.tune.result import TuneResult

FEW = 20
"""Training images of a class below which its recall is mostly luck."""
FEW_TO_TEST = 30
WIDE = 0.1
"""Of an interval of balanced accuracy."""
FAR = 0.05
"""Between cross-validation and test, beyond what both intervals allow."""


def advice(result: TuneResult) -> tuple[str, ...]:
    """Sentences, none where all is well."""
    return (
        *_found(result),
        *_groups(result),
        *_apart(result),
        *_small(result),
        *_wide(result),
        *_unsure(result),
        *_broken(result),
    )


def _found(result: TuneResult) -> Iterator[str]:
    """What harms a split or what is learned, as images that are on both sides."""
    for finding in result.findings or ():
        if finding.severity == "error":
            yield f"{finding.message} {finding.next_step}"


def _groups(result: TuneResult) -> Iterator[str]:
    """Names that look like groups."""
    proposal = result.reading.proposal
    if proposal is not None:
        yield (
            f"The names look like {proposal}, such as parts of one photograph: with parts of it on both "
            "sides of the split the figures are too good. "
            f"--group-by '{proposal.pattern}' keeps them together"
        )


def _apart(result: TuneResult) -> Iterator[str]:
    """Validation and test far apart: one of both does not say what the other says."""
    held_out = result.validation.score if result.validation else None
    if held_out is None:
        return
    test = result.test_score
    ours, theirs = _allowed(held_out), _allowed(test)
    overlap = ours[0] <= theirs[1] and theirs[0] <= ours[1]
    if overlap or abs(held_out.balanced_accuracy - test.balanced_accuracy) < FAR:
        return
    said = (
        f"Balanced accuracy is {held_out.balanced_accuracy:.1%} where images were held out of training and "
        f"{test.balanced_accuracy:.1%} on the test: further apart than chance explains. "
    )
    if result.reading.groups is None:
        yield said + (
            "The test images are of another kind, the split is unlucky (try --seed 1), or images of one "
            "thing are on both sides of the folds: group them by --group-by"
        )
    else:
        yield said + "The test images are of another kind, or the split is unlucky: try --seed 1"


def _allowed(score: Score) -> tuple[float, float]:
    """Its interval; where draws give it no width, as no image was wrong, Wilson's of as many images."""
    if score.balanced_accuracy < 1:
        return score.interval
    return wilson_interval(score.images, score.images)


def _small(result: TuneResult) -> Iterator[str]:
    for part in result.parts:
        least = {"train": FEW, "test": FEW_TO_TEST}.get(part.part, 0)
        small = {name: size for name, size in part.class_sizes.items() if size < least}
        if small:
            few = ", ".join(f"{name} ({size})" for name, size in list(small.items())[:5])
            more = f" and {len(small) - 5} more" if len(small) > 5 else ""
            what = "to learn from" if part.part == "train" else "to be measured on"
            yield f"There are few images {what} of {few}{more}; {least} would do, more are better"


def _wide(result: TuneResult) -> Iterator[str]:
    low, high = _allowed(result.test_score)
    if high - low > WIDE:
        yield (
            f"The test leaves open whether balanced accuracy is {low:.0%} or {high:.0%}: it has too few "
            f"{'groups' if result.reading.groups else 'images'}. More of them, or a larger --test, say more"
        )


def _unsure(result: TuneResult) -> Iterator[str]:
    curve = result.validation.curve if result.validation else ()
    if (
        curve
        and result.validation
        and result.validation.folds
        and result.validation.strength == curve[0].strength
    ):
        yield (
            "The strongest regularization was best: there is little in these features that tells the classes "
            "apart. Look at the images as the network sees them, or give it a larger --size"
        )


def _broken(result: TuneResult) -> Iterator[str]:
    if result.reading.broken:
        names = ", ".join(each.name for each in result.reading.broken[:3])
        more = ", ..." if len(result.reading.broken) > 3 else ""
        yield (
            f"{len(result.reading.broken):,} of {result.reading.images:,} images are damaged and left out: "
            f"{names}{more}; `verydeep data check {result.settings.data}` lists all"
        )
