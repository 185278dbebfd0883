"""``verydeep data check``: data quality issues of a folder of images, in the terminal, as JSON or a page."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from verydeep.check.check import CheckResult, check_images
from verydeep.check.duplicates import MIN_SIMILARITY
from verydeep.check.finding import Finding
from verydeep.check.findings import findings as findings_of
from verydeep.check.findings_file import doubtful_labels, write_findings
from verydeep.check.grouping import read_grouped
from verydeep.data.label_file import LabelsToCorrect, labels_file, labels_to_correct, write_label_file
from verydeep.errors import DataError
from verydeep.report.check_page import write_page
from verydeep.tables.check_table import as_values, findings_table, summary_table
from verydeep.terminal.console import err, out, print_json, print_message
from verydeep.terminal.label_corrections import require_no_corrections
from verydeep.terminal.output_path import require_not_input, require_writable_file
from verydeep.terminal.progress import ImageProgress
from verydeep.terminal.reading_lines import print_reading

MAX_REASONS = 10
"""Unreadable files whose reasons are printed in the terminal; JSON and the page have all of them."""


def check(
    folder: Annotated[Path, Parameter(name="FOLDER")],
    /,
    *,
    group_by: str | None = None,
    similarity: float = MIN_SIMILARITY,
    workers: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Check every image in FOLDER for data quality issues.

    The exit code is 1 if there are errors: unreadable files, one image in two classes, duplicates in several
    splits (data leakage), classes without images.

    Parameters
    ----------
    folder
        A folder of class folders, or of train, val and test folders with class folders.
    group_by
        The images that a split must keep together: a pattern for their names, such as 'photo_[0-9]+', a
        column, or duplicates.
    similarity
        The similarity from which two images are near duplicates, 0.5 to 1; 1 finds almost only exact copies.
    workers
        Decoding threads; the number of usable cores by default.
    out_
        Write a page, .html: findings, duplicates side by side, examples of each class; beside it a CSV of
        doubtful labels. Or a list, .csv: one row per finding and image.
    json
        Print one JSON object: images, classes, skipped, notes, damaged, duplicates, sizes, kinds, groups,
        findings.
    """
    if out_ and out_.suffix not in (".html", ".csv"):
        raise DataError(f"{out_} is neither .html, a page, nor .csv, a list; give one of these names")
    if out_:
        require_not_input(out_, folder)
        require_writable_file(out_)
    if out_ and out_.suffix == ".html":
        require_no_corrections(out_)
    check_all = partial(check_images, min_similarity=similarity, workers=workers)
    with ImageProgress(err(), "Grouping") as progress:
        samples = read_grouped(folder, group_by, partial(check_all, progress=progress))
    with ImageProgress(err(), "Checking") as progress:
        result = check_all(samples, progress=progress)
    findings = findings_of(result)
    print_reading(samples.reading, len(samples), len(samples.classes))
    labels = _write(result, findings, out_, folder) if out_ else None
    if json:
        print_json(as_values(result, findings))
    else:
        _print(result, findings, out_)
    if labels:
        print_message(labels.line)
    return 1 if any(finding.severity == "error" for finding in findings) else 0


def _write(
    result: CheckResult, findings: Sequence[Finding], path: Path, folder: Path
) -> LabelsToCorrect | None:
    """Write the page with its list of doubtful labels, which is returned, or the list of findings."""
    if path.suffix == ".csv":
        write_findings(result, findings, path)
        return None
    rows = doubtful_labels(result, findings)
    labels = labels_to_correct(rows, labels_file(path))
    if labels:
        write_label_file(rows, labels.file, str(folder))
    write_page(result, findings, path, labels)
    return labels


def _print(result: CheckResult, findings: Sequence[Finding], page: Path | None) -> None:
    for unreadable in list(result.unreadable.values())[:MAX_REASONS]:
        err().print(unreadable.reason, markup=False, soft_wrap=True)
    out().print(summary_table(result))
    out().print()
    out().print(findings_table(findings))
    if page:
        err().print(f"{'List' if page.suffix == '.csv' else 'Page'}: {page}", markup=False, soft_wrap=True)
    elif result.duplicates.clusters or result.unreadable:
        err().print("Use --out check.html to see the images side by side.")
