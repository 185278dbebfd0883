"""The page of a training run: one HTML file that needs no other, in light and dark, to read or print."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from verydeep.atomic_write import atomic_write
from verydeep.evaluate.evaluation import Evaluation
from verydeep.evaluate.metrics import Mistake
from verydeep.report import line_plots as plots
from verydeep.tables.confusion_matrix import class_lines, confusion_matrix
from verydeep.tables.format import wilson_interval
from verydeep.templates.environment import environment
from verydeep.train.epoch_result import EpochResult

CRISP_SIDE = 96
"""Up to this many pixels a side an image is enlarged pixel by pixel, and kept without loss."""


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """All that is said of one training run. Times are in seconds."""

    title: str
    dataset: str
    model: str
    architecture_string: str
    """The network as one line of text."""
    parameters: int
    macs: int
    """For one image."""
    input: tuple[int, int, int]
    """Channels, height and width of an image."""
    epochs: tuple[EpochResult, ...]
    validation: Evaluation | None
    """None where the recipe trains on everything."""
    test: Evaluation
    """The only reading of the test set."""
    mistakes: tuple[tuple[Mistake, UInt8[np.ndarray, "channels height width"]], ...]
    """The test images of which the network was sure and wrong, with one channel or three."""
    recipe_name: str
    recipe_toml: str
    command: str
    """What to type to repeat the run."""
    machine: Mapping[str, str]
    seed: int
    started: datetime
    seconds: float
    """Training alone: data, augmentation and steps."""
    wall_seconds: float
    """From start to end, with start-up and evaluation."""


def write_page(report: RunReport, path: Path) -> None:
    """``report`` as a page at ``path``, where a reader never meets half of one."""
    with atomic_write(path) as temporary:
        temporary.write_text(render(report), encoding="utf-8")


def render(report: RunReport) -> str:
    """The page as HTML, all text escaped."""
    right = round(report.test.top1 * report.test.images)
    return (
        environment()
        .get_template("run.html.j2")
        .render(
            report=report,
            interval=wilson_interval(right, report.test.images),
            charts=_charts(report),
            matrix=confusion_matrix(report.test),
            class_lines=class_lines(report.test),
            pictures=tuple(
                picture(mistake, image, f"Test image {mistake.index}") for mistake, image in report.mistakes
            ),
            tokens=re.findall(r"\([^)]*\)\S*|\S+", report.architecture_string),  # a bracket is one token
            plots=plots,
        )
    )


def _charts(report: RunReport) -> tuple[plots.Chart, ...]:
    if not report.epochs:
        return ()
    return (
        plots.accuracy_chart(report.epochs, report.test),
        plots.loss_chart(report.epochs, report.test),
        plots.rate_chart(report.epochs),
    )


@dataclass(frozen=True)
class Picture:
    """A mistake with its image inside the page."""

    mistake: Mistake
    name: str
    """Of the image, as a person knows it."""
    uri: str
    crisp: bool


def picture(mistake: Mistake, image: UInt8[np.ndarray, "channels height width"], name: str) -> Picture:
    """``mistake`` ready for the page; ``image`` has one channel or three."""
    return Picture(mistake, name, data_uri(image), _crisp(image))


def _crisp(image: UInt8[np.ndarray, "channels height width"]) -> bool:
    return bool(max(image.shape[1:]) <= CRISP_SIDE)


def data_uri(image: UInt8[np.ndarray, "channels height width"]) -> str:
    """``image`` as the address of itself, so that a page needs no other file."""
    kind = "png" if _crisp(image) else "jpeg"
    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    buffer = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, optimize=True)
    return f"data:image/{kind};base64,{b64encode(buffer.getvalue()).decode()}"
