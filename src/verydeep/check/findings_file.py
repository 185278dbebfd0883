"""The findings of a data check as CSV, one row per image, and its doubtful labels as a list to correct.

severity   error, warning or note
finding    its name, such as "label conflict"
group      the number of the images that belong together, from 1; empty where the finding is of no image
path       the name of the image in its data set
label      its label
part       train, val or test; empty where the data set is not split
message    the finding in words, and
next_step  what to do about it
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from verydeep.atomic_write import atomic_write
from verydeep.check.check import CheckResult
from verydeep.check.duplicate_findings import CONFLICT, LIKELY_CONFLICT
from verydeep.check.finding import Finding
from verydeep.csv_text import KEEP_BYTES, Cell, csv_line
from verydeep.data.label_file import LabelRow
from verydeep.image_sources.part_names import Part

COLUMNS = ("severity", "finding", "group", "path", "label", "part", "message", "next_step")


def write_findings(result: CheckResult, findings: Sequence[Finding], path: Path) -> None:
    """Write ``findings`` to ``path``, completely or not at all; in UTF-8 with a byte order mark."""
    with (
        atomic_write(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8-sig", errors=KEEP_BYTES) as file,
    ):
        file.write(csv_line(COLUMNS))
        labels = _labels(result)
        parts = dict(zip(result.samples.names, result.samples.parts, strict=True))
        for finding in findings:
            file.writelines(map(csv_line, _rows(finding, labels, parts)))


def _rows(
    finding: Finding, labels: Mapping[str, str], parts: Mapping[str, Part | None]
) -> Iterator[tuple[Cell, ...]]:
    start, end = (finding.severity, finding.kind), (finding.message, finding.next_step)
    for number, names in enumerate(finding.files, 1):
        for name in names:
            yield (*start, number, name, labels[name], parts[name] or "", *end)
    if not finding.files:
        yield (*start, "", "", "", "", *end)


def doubtful_labels(result: CheckResult, findings: Sequence[Finding]) -> tuple[LabelRow, ...]:
    """Duplicates in several classes, those that belong together one after the other, for a person to correct.

    ``verydeep.data.label_file`` writes them.
    """
    labels = _labels(result)
    return tuple(
        LabelRow(path=name, label=labels[name])
        for finding in findings
        if finding.kind in (CONFLICT, LIKELY_CONFLICT)
        for names in finding.files
        for name in names
    )


def _labels(result: CheckResult) -> dict[str, str]:
    samples = result.samples
    return {
        name: samples.classes[label]
        for name, label in zip(samples.names, samples.labels.tolist(), strict=True)
    }
