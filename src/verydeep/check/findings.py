"""All data quality issues that a data check found."""

from typing import get_args

from verydeep.check.check import CheckResult
from verydeep.check.class_findings import class_findings
from verydeep.check.duplicate_findings import duplicate_findings, label_conflicts
from verydeep.check.finding import Finding, Severity
from verydeep.check.group_findings import group_findings
from verydeep.check.image_findings import content_findings, file_findings


def findings(result: CheckResult) -> tuple[Finding, ...]:
    """The data quality issues of a data set, the most severe first."""
    unsorted = [
        *file_findings(result),
        *label_conflicts(result),
        *duplicate_findings(result),
        *group_findings(result),
        *class_findings(result),
        *content_findings(result),
    ]
    order = get_args(Severity)
    return tuple(sorted(unsorted, key=lambda finding: order.index(finding.severity)))
