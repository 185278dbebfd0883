"""Issues of duplicates: with different labels, or in several splits (data leakage)."""

from collections.abc import Iterator, Sequence

from verydeep.check.check import CheckResult, labels_of
from verydeep.check.duplicates import PLAIN
from verydeep.check.finding import Finding, count_images, counted, names_of
from verydeep.image_sources.part_names import Part

CONFLICT, LIKELY_CONFLICT = "label conflict", "likely label conflict"
"""The findings of which an image has a wrong label."""


def label_conflicts(result: CheckResult) -> Iterator[Finding]:
    """Duplicates in several classes: an error for the same bytes, a warning for near duplicates.

    Mirrored and rotated images are none: a mirrored 2 may look like a 5, and is not one.
    """
    conflicts = [each for each in result.duplicates.clusters if len(labels_of(result.samples, each)) > 1]
    certain = [each for each in conflicts if any(_same_bytes(result, each))]
    in_plain_conflict = {
        index
        for pair in result.duplicates.pairs
        if pair.how == PLAIN and len(labels_of(result.samples, (pair.first, pair.second))) > 1
        for index in (pair.first, pair.second)
    }
    likely = [each for each in conflicts if each not in certain and in_plain_conflict.intersection(each)]
    if certain:
        yield Finding(
            kind=CONFLICT,
            severity="error",
            message=f"{count_images(len(certain), 'is', 'are')} in two classes with the same bytes: one of "
            "the labels is wrong.",
            next_step="Look at them on the page, and keep each in one class.",
            files=names_of(result, certain),
        )
    if likely:
        verb = "has" if len(likely) == 1 else "have"
        yield Finding(
            kind=LIKELY_CONFLICT,
            severity="warning",
            message=f"{counted(len(likely), 'cluster')} of near duplicates {verb} images of different "
            "classes.",
            next_step="Look at them on the page: one of the labels may be wrong.",
            files=names_of(result, likely),
        )


def _same_bytes(result: CheckResult, cluster: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs in ``cluster`` with the same content and different labels."""
    first: dict[bytes, int] = {}
    for index in cluster:
        other = first.setdefault(result.readable[index].digest, index)
        if len(labels_of(result.samples, [index, other])) > 1:
            yield other, index


def duplicate_findings(result: CheckResult) -> Iterator[Finding]:
    """Duplicates in several splits, all duplicates, and duplicates in several groups."""
    clusters = result.duplicates.clusters
    across = [each for each in clusters if len({result.samples.parts[i] for i in each}) > 1]
    if across:
        yield Finding(
            kind="duplicates across splits",
            severity="error",
            message=f"{_held_out(result, across)} a duplicate or near duplicate in another split (data "
            "leakage): the network is measured on images that it was trained on.",
            next_step="Keep each image in one split; or put all images into one folder per class, and let "
            "verydeep make the split with --group-by duplicates.",
            files=names_of(result, across),
        )
    if clusters:
        extra = sum(len(each) - 1 for each in clusters)
        exact = sum(pair.how == "same bytes" for pair in result.duplicates.pairs)
        yield Finding(
            kind="duplicates",
            severity="warning",
            message=f"{count_images(extra, 'is a duplicate', 'are duplicates')}: {exact:,} with the same "
            f"bytes, {counted(extra - exact, 'near duplicate')} (saved again, cropped, rotated, or "
            "photographed twice).",
            next_step=_next_step(exact, extra - exact),
            files=names_of(result, clusters),
        )
    yield from _across_groups(result)


def _held_out(result: CheckResult, across: Sequence[Sequence[int]]) -> str:
    """How many test and validation images have a duplicate in a split that is used before: ``3 of 80 test
    images have``.
    """
    parts = result.samples.parts
    counts: dict[Part | None, int] = {"test": 0, "val": 0}
    for cluster in across:
        counts["test"] += sum(parts[index] == "test" for index in cluster)
        if any(parts[index] not in counts for index in cluster):  # a training image
            counts["val"] += sum(parts[index] == "val" for index in cluster)
    names: dict[Part | None, str] = {"test": "test", "val": "validation"}
    texts = [
        f"{count:,} of {parts.count(part):,} {names[part]} images" for part, count in counts.items() if count
    ]
    return f"{' and '.join(texts)} {'has' if sum(counts.values()) == 1 else 'have'}"


def _next_step(exact: int, near: int) -> str:
    """Copies may be removed; what only looks alike is for a person to look at."""
    group = "keep them on one side of every split: --group-by duplicates."
    if not near:
        return f"Remove the copies, or {group}"
    copies = "Remove the copies; look" if exact else "Look"
    return f"{copies} at the near duplicates on the page, and {group}"


def _across_groups(result: CheckResult) -> Iterator[Finding]:
    """Duplicates in several groups, which leak between splits although no group is divided."""
    groups = result.samples.groups or (result.proposal.groups if result.proposal else None)
    if groups is None:
        return
    joining = [each for each in result.duplicates.clusters if len({groups[i] for i in each}) > 1]
    if joining:
        verb = "has" if len(joining) == 1 else "have"
        flag = result.proposal and f"--group-by 'duplicates:{result.proposal.pattern}'"
        yield Finding(
            kind="duplicates across groups",
            severity="warning",
            message=f"{counted(len(joining), 'cluster')} of duplicates {verb} images of different "
            "groups, for example because something was photographed twice: a split by groups still has data "
            "leakage.",
            next_step=f"Join these groups: {flag or 'put duplicates: before the value of --group-by'}.",
            files=names_of(result, joining),
        )
