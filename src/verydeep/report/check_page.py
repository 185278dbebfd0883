"""The HTML page of a data check: findings, unreadable files, duplicates, examples of each class."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import get_args

from verydeep.atomic_write import write_text
from verydeep.check.check import CheckResult
from verydeep.check.duplicates import DuplicatePair
from verydeep.check.finding import Finding, Severity
from verydeep.data.label_file import LabelsToCorrect
from verydeep.decoding.decode import load_image, open_image
from verydeep.report.charts import line_plots as plots
from verydeep.report.charts import scatter_plot as scatter
from verydeep.tables.check_table import NO_FINDINGS, summary
from verydeep.templates.environment import environment

MAX_PAIRS, MAX_SAMPLES, MAX_CLASSES, MAX_FILES = 120, 6, 60, 200
"""Limits that keep the page small enough for a phone; JSON has everything."""
_SIDE = 160  # px of an image on the page


@dataclass(frozen=True)
class _Thumbnail:
    name: str
    label: str
    part: str
    uri: str


@dataclass(frozen=True)
class _ClassRow:
    """A class with its bar and some of its images."""

    name: str
    count: int
    fraction: float
    """Its number of images relative to the largest class."""
    thumbnails: tuple[_Thumbnail, ...]


def write_page(
    result: CheckResult, findings: Sequence[Finding], path: Path, labels: LabelsToCorrect | None = None
) -> None:
    """Write the result of a data check to ``path`` as one self-contained HTML file.

    Args:
        result: of the check.
        findings: in it.
        path: of the page.
        labels: the list of doubtful labels beside it, if there are any.
    """
    write_text(path, render(result, findings, labels))


def render(result: CheckResult, findings: Sequence[Finding], labels: LabelsToCorrect | None = None) -> str:
    """The page as HTML, with all text escaped."""
    pairs = sorted(result.duplicates.pairs, key=lambda pair: not _is_conflict(result, pair))[:MAX_PAIRS]
    names = result.samples.names
    return (
        environment()
        .get_template("check_page.html.j2")
        .render(
            result=result,
            findings=findings,
            labels=labels,
            no_findings=NO_FINDINGS,
            counts={level: sum(one.severity == level for one in findings) for level in get_args(Severity)},
            summary=summary(result),
            rows=_class_rows(result),
            pairs=[(pair, _thumbnail(result, pair.first), _thumbnail(result, pair.second)) for pair in pairs],
            unreadable=[(names[i], each) for i, each in list(result.unreadable.items())[:MAX_FILES]],
            scatter=_size_scatter(result),
            max_files=MAX_FILES,
            plots=plots,
            scatter_height=scatter.HEIGHT,
        )
    )


def _is_conflict(result: CheckResult, pair: DuplicatePair) -> bool:
    """Whether the two images have different labels or are in different splits."""
    labels, parts = result.samples.labels, result.samples.parts
    return bool(labels[pair.first] != labels[pair.second]) or parts[pair.first] != parts[pair.second]


def _class_rows(result: CheckResult) -> list[_ClassRow]:
    """The classes, the largest first, each with evenly spaced examples."""
    labels, sizes = result.samples.labels.tolist(), result.samples.class_sizes
    members: dict[int, list[int]] = {}
    for index in result.readable:
        members.setdefault(labels[index], []).append(index)
    largest = max(sizes.values())
    rows = []
    for label, (name, count) in enumerate(sizes.items()):
        indices = members.get(label, []) if len(sizes) <= MAX_CLASSES else []
        examples = indices[:: max(1, len(indices) // MAX_SAMPLES)][:MAX_SAMPLES]
        thumbnails = tuple(_thumbnail(result, index) for index in examples)
        rows.append(_ClassRow(name, count, count / largest, thumbnails))
    return sorted(rows, key=lambda row: -row.count)


def _thumbnail(result: CheckResult, index: int) -> _Thumbnail:
    samples = result.samples
    name, part = samples.names[index], samples.parts[index] or ""
    with open_image(samples.sources[index], name) as opened:
        opened.draft(None, (_SIDE, _SIDE))
        image = load_image(opened, name).convert("RGB")
    image.thumbnail((_SIDE, _SIDE))
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=80)
    uri = f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"
    return _Thumbnail(name, samples.classes[int(samples.labels[index])], part, uri)


def _size_scatter(result: CheckResult) -> scatter.Scatter | None:
    labels, readable = result.samples.labels.tolist(), result.readable
    if not readable:
        return None
    sizes = [(facts.width, facts.height) for facts in readable.values()]
    return scatter.size_scatter(sizes, [labels[index] for index in readable], result.samples.classes)
