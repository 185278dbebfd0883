"""The data check within `verydeep tune`: duplicates across the split, mislabeled images, and other issues."""

from dataclasses import replace

from verydeep.check.check import check_images
from verydeep.check.finding import Finding
from verydeep.check.findings import findings
from verydeep.image_sources.samples import Samples
from verydeep.tune.prepare import Task

MOST_IMAGES = 20_000
"""With more, at about 2 ms each, the check is left to `verydeep data check`."""
SHOWN_ELSEWHERE = {"unreadable", "class imbalance", "ungrouped"}


def data_quality(task: Task, samples: Samples) -> tuple[Finding, ...] | None:
    """The data quality issues of ``samples``, the worst first; None where there are too many images to check.

    Args:
        task: what was asked, and the watcher.
        samples: those that can be read, with their split.
    """
    if len(samples) > MOST_IMAGES:
        return None

    def checked(done: int, total: int) -> None:
        task.watcher.checked(done, total)
        task.watcher.stop_if_wanted("stopped while the images were checked; the classifier is saved")

    found = findings(check_images(samples, progress=checked))
    was_split_here = None in task.given_parts
    return tuple(
        _fixed_by_grouping(each, task.config.group_by) if was_split_here else each
        for each in found
        if each.kind not in SHOWN_ELSEWHERE
    )


def _fixed_by_grouping(finding: Finding, group_by: str | None) -> Finding:
    """Where verydeep made the split, another ``--group-by`` is all that it takes."""
    if finding.kind != "duplicates across splits":
        return finding
    by = f"duplicates:{group_by}" if group_by else "duplicates"
    return replace(finding, next_step=f"Keep them together: --group-by '{by}'.")
