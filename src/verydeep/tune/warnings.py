"""Warnings: what to know before you trust the classifier, the most important first."""

from collections.abc import Iterator

from verydeep.evaluate.evaluation import Evaluation
from verydeep.name_list import first_names
from verydeep.number_format import percent
from verydeep.tune.result import TuneResult

FEW_TO_TRAIN = 20
"""Training images of a class below which its recall is mostly luck."""
FEW_TO_TEST = 30
WIDE = 0.1
"""Width of an interval of balanced accuracy."""
CROSS_VALIDATED = "in cross-validation"
FAR_APART = 0.05
"""Between validation and test, beyond what both intervals allow."""


def warnings(result: TuneResult) -> tuple[str, ...]:
    """Sentences; none where all is well."""
    return (
        *_data_errors(result),
        *_missing_groups(result),
        *_test_unlike_validation(result),
        *_few_images(result),
        *_wide_interval(result),
        *_weak_features(result),
        *_unreadable(result),
    )


def _data_errors(result: TuneResult) -> Iterator[str]:
    """Issues that harm training or results, such as the same image on both sides of the split."""
    for finding in result.findings or ():
        if finding.severity == "error":
            yield f"{finding.message} {finding.next_step}"


def _missing_groups(result: TuneResult) -> Iterator[str]:
    proposal = result.images.proposal
    if proposal is not None:
        yield (
            f"The names look like groups, {proposal}, such as parts of one photograph: with images of a "
            "group on both sides of the split the results are too good. "
            f"--group-by '{proposal.pattern}' keeps them together"
            + (" in cross-validation; put each group into one part" if result.images.has_own_test else "")
        )


def _test_unlike_validation(result: TuneResult) -> Iterator[str]:
    """Validation and test of the chosen classifier further apart than chance explains."""
    held_out, where = _validation(result)
    if held_out is None:
        return
    ours, theirs = _interval(held_out), _interval(result.test)
    overlap = ours[0] <= theirs[1] and theirs[0] <= ours[1]
    if overlap or abs(held_out.balanced_accuracy - result.test.balanced_accuracy) < FAR_APART:
        return
    message = (
        f"Balanced accuracy is {percent(held_out.balanced_accuracy, 1)} {where} and "
        f"{percent(result.test.balanced_accuracy, 1)} on the test images: further apart than chance "
        "explains. "
    )
    reasons = ["The test images are of another kind"]
    if not result.images.has_own_test:
        reasons.append("the split is unlucky (try --seed 1)")
    if result.images.groups is None:
        sides = "several folds" if where == CROSS_VALIDATED else "training and validation"
        reasons.append(f"images of one thing are in {sides} (group them by --group-by)")
    yield message + ", or ".join([", ".join(reasons[:-1]), reasons[-1]] if len(reasons) > 1 else reasons)


def _validation(result: TuneResult) -> tuple[Evaluation | None, str]:
    """That of the chosen classifier, and where it was measured: a linear probe by more than one split."""
    if result.chosen == "linear-probe":
        return result.probe.evaluation if result.probe else None, CROSS_VALIDATED
    (chosen,) = (each for each in result.strategies if each.strategy == result.chosen)
    was_given = any(part.part == "val" for part in result.parts)
    kind = "validation images" if was_given else "held-out training images"
    return chosen.validation, f"on the {kind}"


def _interval(evaluation: Evaluation) -> tuple[float, float]:
    interval = evaluation.intervals["balanced_accuracy"]
    return interval.low, interval.high


def _few_images(result: TuneResult) -> Iterator[str]:
    for part in result.parts:
        least = {"train": FEW_TO_TRAIN, "test": FEW_TO_TEST}.get(part.part, 0)
        small = {name: size for name, size in part.class_sizes.items() if size < least}
        if small:
            few = first_names([f"{name} ({size})" for name, size in small.items()])
            kind = "training" if part.part == "train" else "test"
            yield f"There are few {kind} images of {few}; {least} or more are better"


def _wide_interval(result: TuneResult) -> Iterator[str]:
    low, high = _interval(result.test)
    if high - low > WIDE:
        few = "groups" if result.images.groups else "images"
        more = "Add more" if result.images.has_own_test else "Add more, or use a larger --test"
        yield (
            f"The test leaves open whether balanced accuracy is {percent(low, 0)} or {percent(high, 0)}: "
            f"it has too few {few}. {more}"
        )


def _weak_features(result: TuneResult) -> Iterator[str]:
    probe = result.probe
    if probe is not None and len(probe.curve) > 1 and probe.l2 == probe.curve[0].l2:
        yield (
            "The strongest L2 regularization was best: there is little in these features that separates the "
            "classes. Look at the images at the size that the network gets, or use a larger --size"
        )


def _unreadable(result: TuneResult) -> Iterator[str]:
    unreadable = result.images.unreadable
    if unreadable:
        names = ", ".join(each.name for each in unreadable[:3]) + (", ..." if len(unreadable) > 3 else "")
        yield (
            f"{len(unreadable):,} of {result.images.images:,} images cannot be read and are left out: "
            f"{names}; `verydeep data check {result.location}` lists all"
        )
