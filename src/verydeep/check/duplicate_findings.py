"""Issues of duplicates: with different labels, or in several splits (data leakage)."""

from collections.abc import Iterator, Sequence

from verydeep.check.check import CheckResult, labels_of
from verydeep.check.finding import Finding, count_images, counted, names_of


def label_conflicts(result: CheckResult) -> Iterator[Finding]:
    """Duplicates in several classes: an error for the same bytes, a warning for near duplicates."""
    conflicts = [each for each in result.duplicates.clusters if len(labels_of(result.samples, each)) > 1]
    certain = [each for each in conflicts if any(_same_bytes(result, each))]
    likely = [each for each in conflicts if each not in certain]
    if certain:
        yield Finding(
            kind="label conflict",
            severity="error",
            message=f"{count_images(len(certain), 'is', 'are')} in two classes with the same bytes: one of "
            "the labels is wrong.",
            next_step="Look at them on the page, and keep each in one class.",
            files=names_of(result, certain),
        )
    if likely:
        verb = "has" if len(likely) == 1 else "have"
        yield Finding(
            kind="likely label conflict",
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
    samples, clusters = result.samples, result.duplicates.clusters
    across = [each for each in clusters if len({samples.parts[i] for i in each}) > 1]
    if across:
        shared = sum(len(each) for each in across)
        yield Finding(
            kind="duplicates across splits",
            severity="error",
            message=f"{count_images(shared, 'has', 'have')} a duplicate in another split (data leakage): the "
            "network is measured on images that it was trained on.",
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
            next_step="Remove the duplicates, or keep them on one side of every split: "
            "--group-by duplicates.",
            files=names_of(result, clusters),
        )
    yield from _across_groups(result)


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
