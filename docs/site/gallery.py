"""Makes the gallery: the pages that commands write about images drawn here, and those of the full studies."""

import html
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from verydeep.data.synthetic import shapes
from verydeep.report.study_page import render_study
from verydeep.study.study_result import StudyResult

INTRODUCTION = """# Gallery of reports

Each picture is the page itself, as the command above it wrote it when this site was built: open it to try its
tables and charts. Each page is one file that needs no other file and no internet connection.

The images are drawn by `verydeep`: small and easy, so that a network learns them in seconds. `shapes/` is a
folder of such images in which some classes are rare, some labels are wrong, and some images are there twice.
"""
ENTRY = """## {title}

{text}

```sh
{command}
```

<div class="report">
<iframe src="gallery/{page}" title="{preview}" loading="lazy" tabindex="-1"></iframe>
<a href="gallery/{page}" tabindex="-1" aria-hidden="true"></a>
</div>

<a href="gallery/{page}">Open the report</a> ({size} kB)
"""
STUDIES = """## Studies

Experiments with many runs, whose results come with `verydeep`; a quick version shows them beside its own:

"""


@dataclass(frozen=True)
class Report:
    """A command that writes a page."""

    title: str
    text: str
    command: str
    written: str
    """The page, in the folder where the command runs."""

    @property
    def page(self) -> str:
        """The name of the page in the gallery."""
        return f"{self.title.lower().replace(' ', '-')}.html"


REPORTS = (
    Report(
        "Training",
        "Learning curves, accuracy with its interval, the confusion matrix, and the most confident mistakes.",
        "verydeep train synthetic --epochs 2 --out runs/shapes",
        "runs/shapes/report.html",
    ),
    Report(
        "Data check",
        "Duplicates side by side, class imbalance, other data quality issues, and examples of each class.",
        "verydeep data check shapes/ --out check.html",
        "check.html",
    ),
    Report(
        "Transfer learning",
        "A classifier for a folder of images: every decision with its reason, and what to be careful with.",
        "verydeep tune shapes/ --weights runs/shapes --size 32 --strategy compare --scratch.epochs 5 "
        "--out runs/tune-shapes",
        "runs/tune-shapes/report.html",
    ),
    Report(
        "Evaluation",
        "Accuracy with intervals, the confusion matrix, the reliability diagram, and doubtful labels.",
        "verydeep evaluate runs/tune-shapes shapes/ --out evaluation.html",
        "evaluation.html",
    ),
    Report(
        "Compression",
        "What each step costs in accuracy and gives in time, operations and size.",
        "verydeep compress runs/shapes --data synthetic --drop 0.5 --out runs/small",
        "runs/small/report.html",
    ),
    Report(
        "Comparison of runs",
        "The learning curves of all runs in a folder, and how their settings differ.",
        "verydeep runs runs/ --out runs.html",
        "runs.html",
    ),
)


def write_gallery(source: Path, out: Path, studies: Sequence[StudyResult]) -> None:
    """Write pages into ``out``, those of ``studies`` too, and the page of the gallery into ``source``.

    Raises:
        SystemExit: where a command fails, with its output.
    """
    work = source / ".gallery"
    out.mkdir(parents=True)
    draw_images(work / "shapes")
    for report in REPORTS:
        _run(report.command, work)
        shutil.copyfile(work / report.written, out / report.page)
    page = "\n".join([INTRODUCTION, *(_entry(report, out) for report in REPORTS)])
    lines = "\n".join(_write_study(result, out) for result in studies)
    (source / "gallery.md").write_text(f"{page}\n{STUDIES}{lines}\n" if studies else page, encoding="utf-8")


def _run(command: str, folder: Path) -> None:
    words = [sys.executable, "-m", *shlex.split(command)]
    run = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode:
        sys.exit(f"{command}\n{run.stdout}")


def _entry(report: Report, out: Path) -> str:
    return ENTRY.format(
        title=report.title,
        text=report.text,
        command=report.command,
        page=report.page,
        preview=html.escape(f"{report.title}: the report of {report.command}"),
        size=round((out / report.page).stat().st_size / 1000),
    )


def _write_study(result: StudyResult, out: Path) -> str:
    """Write the page of a study, and give its line in the gallery."""
    page = f"study-{result.study.name}.html"
    (out / page).write_text(render_study(result), encoding="utf-8")
    return f'- <a href="gallery/{page}">{html.escape(result.study.title)}</a>: `{result.command}`'


COUNTS = (80, 60, 40, 25, 15)
"""Images of each class in ``shapes/``."""


def draw_images(folder: Path) -> None:
    """Draw a folder for each class; every 25th label is wrong, and every 40th image is there twice."""
    drawn = shapes(len(COUNTS) * max(COUNTS), size=32, channels=3, classes=len(COUNTS), seed=1)
    kept = np.zeros(len(COUNTS), dtype=int)
    for number, (pixels, label) in enumerate(zip(drawn.pixels, drawn.labels.tolist(), strict=True)):
        if kept[label] == COUNTS[label]:
            continue
        kept[label] += 1
        shown = (label + 1) % len(COUNTS) if number % 25 == 0 else label
        image = Image.fromarray(pixels.permute(1, 2, 0).numpy())
        for copy in ("", "-copy") if number % 40 == 0 else ("",):
            target = folder / drawn.classes[shown] / f"{number:03}{copy}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            image.save(target)
