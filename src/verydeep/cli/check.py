"""``verydeep data check``: what is wrong with a folder of images, on the terminal, as JSON and as a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.progress import Progress

from verydeep.check.check import Checkup
from verydeep.check.check import check as check_samples
from verydeep.check.duplicates import LEAST_SIMILARITY
from verydeep.check.findings import Finding, findings
from verydeep.check.grouping import read_grouped
from verydeep.errors import DataError
from verydeep.report.check_page import as_values, findings_table, summary_table, write_page
from verydeep.terminal.console import err, out, print_json

MOST_NAMED = 10
"""Damaged files whose reason is told on the terminal; JSON and the page have all."""


def check(
    folder: Annotated[Path, Parameter(name="FOLDER")],
    /,
    *,
    group_by: str | None = None,
    similarity: float = LEAST_SIMILARITY,
    workers: int | None = None,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Look at every image in FOLDER, and tell what is wrong.

    The exit code is 1 where something was found that harms: damaged files, one image in two classes, images
    on both sides of a split, classes without images.

    Parameters
    ----------
    folder
        A folder of class folders, or of train, val and test folders of them.
    group_by
        What keeps images together: a pattern for their names, such as 'photo_[0-9]+'.
    similarity
        From which two images count as the same, 0.5 to 1; 1 finds next to nothing but copies.
    workers
        Threads that decode; as many as there are processors by default.
    out_
        A page to write, .html: findings, duplicates side by side, samples of each class.
    json
        Print one JSON object: images, classes, damaged, duplicates, sizes, kinds, groups, findings.
    """
    if out_ and out_.suffix != ".html":
        raise DataError(f"{out_} is no .html; name such a file for the page")
    samples = read_grouped(folder, group_by)
    with Progress(console=err(), transient=True) as bar:
        task = bar.add_task("Looking", total=len(samples))
        checkup = check_samples(
            samples,
            least_similarity=similarity,
            workers=workers,
            progress=lambda done, total: bar.update(task, completed=done),
        )
    found = findings(checkup)
    if out_:
        write_page(checkup, found, out_)
    if json:
        print_json(as_values(checkup, found))
    else:
        _say(checkup, found, out_)
    return 1 if any(finding.severity == "error" for finding in found) else 0


def _say(checkup: Checkup, found: Sequence[Finding], page: Path | None) -> None:
    for damaged in list(checkup.damaged.values())[:MOST_NAMED]:
        err().print(damaged.why, markup=False, soft_wrap=True)
    out().print(summary_table(checkup))
    out().print()
    out().print(findings_table(found))
    if page:
        err().print(f"Page: {page}", markup=False, soft_wrap=True)
    elif checkup.duplicates.clusters or checkup.damaged:
        err().print("With --out check.html the images can be seen side by side.")
