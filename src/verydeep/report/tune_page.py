"""The page of `verydeep tune`: one HTML file with metrics, warnings, strategies, data and mistakes."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from verydeep.analyze.trace import trace
from verydeep.atomic_write import write_text
from verydeep.data.label_file import labels_to_correct
from verydeep.decoding.decode import read_image
from verydeep.errors import DataError
from verydeep.image_sources.image_source import ImageSource
from verydeep.pictures.heat_map_image import method_text
from verydeep.report.charts import line_plots as plots
from verydeep.report.charts.reliability_diagram import reliability_diagram
from verydeep.report.heat_map_page import color_bar_colors, heat_map_entry
from verydeep.report.pictures import Picture, data_uri, is_crisp
from verydeep.report.training_page import architecture_tokens
from verydeep.report.try_it import usages
from verydeep.report.tune_heat_maps import TestHeatMap
from verydeep.report.tune_plots import interval_plot, interval_range, l2_charts
from verydeep.report.tune_text import (
    PARTS,
    STRATEGIES,
    evaluated_on,
    method_sentence,
    split_text,
    stopping_text,
)
from verydeep.tables.confusion_matrix import class_lines, confusion_matrix
from verydeep.templates.environment import environment
from verydeep.train.run_folder import RunFolder
from verydeep.tune.config import tune_toml
from verydeep.tune.result import MistakenImage, StrategyResult, TuneResult

MAX_PICTURES = 24
"""Mistakes that are shown."""
MAX_FILES = 30
"""File names under each data quality issue."""
SIDE = 160
"""The longer side of a small picture in px."""


def write_tune_page(
    result: TuneResult, path: Path, *, command: str | None, heat_maps: Sequence[TestHeatMap] = ()
) -> None:
    """Write ``result`` as a page to ``path``, completely or not at all; arguments as ``render_tune``."""
    write_text(path, render_tune(result, command=command, heat_maps=heat_maps))


def render_tune(result: TuneResult, *, command: str | None, heat_maps: Sequence[TestHeatMap] = ()) -> str:
    """The page as HTML, all text escaped; images are read again from where they are.

    Args:
        result: a finished run.
        command: the command that reproduces it; None where none does, as for a resumed run.
        heat_maps: of some test images; without any the page has no section of them.
    """
    return (
        environment()
        .get_template("tune_page.html.j2")
        .render(
            result=result,
            command=command,
            without_search=shlex.join(
                ["verydeep", "tune", result.location, "--recipe", str(RunFolder(result.run).tune)]
            ),
            usages=usages(result.run),
            method_sentence=method_sentence(result),
            strategies=STRATEGIES,
            interval_range=interval_range,
            interval_plot=interval_plot(result),
            class_bars=class_bars(result),
            parts=[PARTS[part.part] for part in result.parts],
            split_text=split_text(result),
            evaluated_on=evaluated_on(result),
            stopping_text=stopping_text,
            l2_charts=l2_charts(result.probe),
            trained=[(each, _charts(each)) for each in result.strategies if each.epochs],
            matrix=confusion_matrix(result.test),
            class_lines=class_lines(result.test),
            diagram=reliability_diagram(
                result.test.calibration,
                result.test.scaled,
                result.calibration.reason if result.calibration else "",
            ),
            labels=labels_to_correct(result.doubtful_labels, RunFolder(result.run).doubtful_labels),
            pictures=[_picture(each) for each in result.mistakes[:MAX_PICTURES]],
            heat_maps=[(each, heat_map_entry(each.heat, each.name)) for each in heat_maps],
            method=method_text(heat_maps[0].heat) if heat_maps else "",
            colors=color_bar_colors(),
            split=RunFolder(result.run).split,
            tokens=architecture_tokens(result.architecture.string),
            totals=trace(result.architecture).totals,
            toml=tune_toml(result.decided),
            version=version("verydeep"),
            plots=plots,
            max_files=MAX_FILES,
        )
    )


@dataclass(frozen=True)
class ClassBar:
    """One class: its images in each part, and their share of the largest class."""

    name: str
    counts: tuple[int, ...]
    shares: tuple[float, ...]

    @property
    def images(self) -> int:
        """In all parts."""
        return sum(self.counts)


def class_bars(result: TuneResult) -> tuple[ClassBar, ...]:
    """Each class, the largest first."""
    counts = {
        name: tuple(part.class_sizes.get(name, 0) for part in result.parts)
        for name in result.images.class_sizes
    }
    largest = max((sum(values) for values in counts.values()), default=0) or 1
    bars = (ClassBar(name, each, tuple(count / largest for count in each)) for name, each in counts.items())
    return tuple(sorted(bars, key=lambda bar: -bar.images))


def _charts(result: StrategyResult) -> tuple[plots.Chart, ...]:
    """Balanced accuracy on the validation set, which chooses the epoch, and the loss."""
    kept = result.best_epoch
    return plots.balanced_chart(result.epochs, kept), plots.loss_chart(result.epochs, kept=kept)


def _picture(mistake: MistakenImage) -> Picture:
    image = _small_image(mistake.source)
    return Picture(
        name=mistake.name,
        label=mistake.label,
        predicted=mistake.predicted,
        confidence=mistake.confidence,
        uri=None if image is None else data_uri(image),
        is_crisp=image is not None and is_crisp(image),
    )


def _small_image(source: ImageSource) -> UInt8[np.ndarray, "channels height width"] | None:
    """The image, at most ``SIDE`` px; None where it can no longer be read."""
    try:
        image = read_image(source).convert("RGB")
    except DataError:
        return None
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(image).transpose(2, 0, 1)
