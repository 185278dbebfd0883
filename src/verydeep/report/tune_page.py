"""The page of a tuning: one HTML file, from what was measured to how, in the order in which a person asks."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tomli_w
from PIL import Image

from verydeep.analyze.trace import trace
from verydeep.atomic_write import atomic_write
from verydeep.data.decode import read_image
from verydeep.data.samples import ImageSource
from verydeep.errors import DataError
from verydeep.pictures.heat_map_image import method_text
from verydeep.report import line_plots as plots
from verydeep.report.heat_map_page import color_bar_colors, heat_map_entry
from verydeep.report.reliability_diagram import diagram
from verydeep.report.training_page import data_uri
from verydeep.report.tune_plots import WAYS, intervals, span, strength_charts
from verydeep.report.tune_text import PARTS, cut, done, read, sentence, stopping
from verydeep.tables.confusion_matrix import class_lines, matrix
from verydeep.templates.environment import environment
from verydeep.train.epoch_result import TunedEpoch
from verydeep.train.run_folder import RunFolder
from verydeep.tune.heat_maps import Look
from verydeep.tune.result import Candidate, MistakenImage, TuneResult

MOST_PICTURES = 24
"""Mistakes that are shown."""
MOST_FILES = 30
"""Lines of files under each thing that was found in the images."""
SIDE = 160
"""Of a small picture, its longer one, in px."""


def write_tune(result: TuneResult, path: Path, *, command: str, looks: Sequence[Look] = ()) -> None:
    """``result`` as a page at ``path``, where a reader never meets half of one."""
    page = render_tune(result, command=command, looks=looks)
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def render_tune(result: TuneResult, *, command: str, looks: Sequence[Look] = ()) -> str:
    """The page as HTML, all text escaped; pictures are read anew from where they lie.

    Args:
        result: what a tuning gave.
        command: what to type to repeat it.
        looks: heat maps of some mistakes and right answers; without any there is no section of them.
    """
    templates = environment()
    templates.filters["sentence"] = sentence
    return templates.get_template("tune.html.j2").render(
        result=result,
        command=command,
        use=shlex.join(["verydeep", "predict", str(result.run), "photo.jpg"]),
        done=done(result),
        ways=WAYS,
        span=span,
        intervals=intervals(result),
        sizes=class_bars(result),
        parts=[PARTS[part.part] for part in result.parts],
        cut=cut(result),
        read=read(result),
        stopping=stopping,
        strengths=strength_charts(result.validation),
        trained=[(each, _curves(each)) for each in result.candidates if each.epochs],
        matrix=matrix(result.test),
        class_lines=class_lines(result.test),
        diagram=diagram(result.reliability, result.scaled),
        pictures=[_picture(each) for each in result.mistakes[:MOST_PICTURES]],
        looks=[(look, heat_map_entry(look.heat, look.name)) for look in looks],
        method=method_text(looks[0].heat) if looks else "",
        colors=color_bar_colors(),
        split=RunFolder(result.run).split,
        tokens=re.findall(r"\([^)]*\)\S*|\S+", result.architecture.string),
        totals=trace(result.architecture).totals,
        toml=tomli_w.dumps(result.settings.values()),
        version=version("verydeep"),
        plots=plots,
        most_files=MOST_FILES,
    )


@dataclass(frozen=True)
class ClassBar:
    """One class: its images in each part, and what part of the largest class each of them is."""

    name: str
    counts: tuple[int, ...]
    shares: tuple[float, ...]

    @property
    def images(self) -> int:
        """In all parts."""
        return sum(self.counts)


def class_bars(result: TuneResult) -> tuple[ClassBar, ...]:
    """Each class by its size, the largest first."""
    counts = {
        name: tuple(part.class_sizes.get(name, 0) for part in result.parts)
        for name in result.reading.class_sizes
    }
    largest = max((sum(values) for values in counts.values()), default=0) or 1
    bars = (ClassBar(name, each, tuple(count / largest for count in each)) for name, each in counts.items())
    return tuple(sorted(bars, key=lambda bar: -bar.images))


def _curves(candidate: Candidate) -> tuple[plots.Chart, ...]:
    """What the best epoch was chosen by, plain accuracy where there is no other, and the loss."""
    kept = candidate.best_epoch
    tuned = [epoch for epoch in candidate.epochs if isinstance(epoch, TunedEpoch)]
    chosen_by = (
        plots.balanced_chart(tuned, kept) if tuned else plots.accuracy_chart(candidate.epochs, kept=kept)
    )
    return chosen_by, plots.loss_chart(candidate.epochs, kept=kept)


@dataclass(frozen=True)
class _Picture:
    """A mistake with its image inside the page; None where it can no longer be read."""

    mistake: MistakenImage
    uri: str | None


def _picture(mistake: MistakenImage) -> _Picture:
    return _Picture(mistake, small_picture(mistake.source))


def small_picture(source: ImageSource) -> str | None:
    """The image as the address of itself, at most ``SIDE`` px; None where it can no longer be read."""
    try:
        image = read_image(source).convert("RGB")
    except DataError:
        return None
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return data_uri(np.asarray(image).transpose(2, 0, 1))
