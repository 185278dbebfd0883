"""Issues of groups: file names that suggest groups, and groups in several splits (data leakage)."""

from collections import defaultdict
from collections.abc import Iterator

from verydeep.check.check import CheckResult
from verydeep.check.finding import Finding, names_of


def group_findings(result: CheckResult) -> Iterator[Finding]:
    """File names that suggest groups, and groups that a split divides."""
    samples, proposal = result.samples, result.proposal
    groups = samples.groups or (proposal.groups if proposal else None)
    if proposal:
        yield Finding(
            kind="ungrouped",
            severity="warning",
            message=f"The file names suggest groups: {proposal}, such as {proposal.groups[0]}. Images of one "
            "group are often similar; with a group on both sides of a split, results are too good (data "
            "leakage).",
            next_step=f"If these images belong together, use --group-by '{proposal.pattern}'.",
        )
    members: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups or ()):
        members[group].append(index)
    divided = [each for each in members.values() if len({samples.parts[i] for i in each}) > 1]
    if divided:
        yield Finding(
            kind="groups across splits",
            severity="error" if samples.groups else "warning",
            message=f"{len(divided):,} of {len(members):,} groups {'is' if len(divided) == 1 else 'are'} on "
            "both sides of a split (data leakage).",
            next_step="Put all images into one folder per class, and let verydeep make the split by groups; "
            "or move each group to one side.",
            files=names_of(result, divided),
        )
