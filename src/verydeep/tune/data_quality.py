"""What `verydeep data check` finds in the images of a tuning, whose parts are known."""

from dataclasses import replace

from verydeep.check.check import check
from verydeep.check.finding import Finding
from verydeep.check.findings import findings
from verydeep.data.samples import Samples
from verydeep.tune.prepare import Task

MOST = 20_000
"""Images that are checked on the way, some 2 ms each; more are left to `verydeep data check`."""
SAID_ELSEWHERE = {"unreadable", "class imbalance", "ungrouped"}


def diagnosis(task: Task, samples: Samples) -> tuple[Finding, ...] | None:
    """What was found in ``samples``, the worst first; None where they are too many to be checked here.

    Args:
        task: what was asked, and who watches.
        samples: those that can be read.
    """
    if len(samples) > MOST:
        return None
    found = findings(check(samples, progress=task.watcher.checked))
    was_cut = None in task.given_parts
    return tuple(
        _mended_by_grouping(each, task.settings.group_by) if was_cut else each
        for each in found
        if each.kind not in SAID_ELSEWHERE
    )


def _mended_by_grouping(finding: Finding, group_by: str | None) -> Finding:
    """Where the split was cut here, another ``--group-by`` is all that it takes."""
    if finding.kind != "duplicates across splits":
        return finding
    by = f"duplicates:{group_by}" if group_by else "duplicates"
    return replace(finding, next_step=f"Keep them together: --group-by '{by}'.")
