"""The page of a tuning: one HTML file, from what was measured to how, in the order in which a person asks."""

import re
import shlex
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePath

import numpy as np
import tomli_w
from PIL import Image

from verydeep.analyze.trace import trace
from verydeep.data.decode import read_image
from verydeep.data.files import replacing
from verydeep.data.samples import Part, Source
from verydeep.errors import DataError
from verydeep.recipes.tuning import Candidate, MistakenImage, PartSize, TuneResult
from verydeep.report import plots
from verydeep.report.confusions import class_lines, matrix
from verydeep.report.numbers import percent, thousands
from verydeep.report.page import data_uri, environment
from verydeep.report.tune_plots import WAYS, intervals, span, strength_charts

MOST_PICTURES = 24
"""Mistakes that are shown."""
SIDE = 160
"""Of a small picture, its longer one, in px."""
PARTS: dict[Part, str] = {"train": "training", "val": "validation", "test": "test"}


def write_tune(result: TuneResult, path: Path, *, command: str) -> None:
    """``result`` as a page at ``path``, where a reader never meets half of one."""
    page = render_tune(result, command=command)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def render_tune(result: TuneResult, *, command: str) -> str:
    """The page as HTML, all text escaped; pictures are read anew from where they lie.

    Args:
        result: what a tuning gave.
        command: what to type to repeat it.
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
        read=_read(result),
        stopping=stopping,
        strengths=strength_charts(result.validation),
        trained=[(each, _curves(each)) for each in result.candidates if each.epochs],
        matrix=matrix(result.test),
        class_lines=class_lines(result.test),
        sureness=sureness(result),
        pictures=[_picture(each) for each in result.mistakes[:MOST_PICTURES]],
        tokens=re.findall(r"\([^)]*\)\S*|\S+", result.architecture.line),
        totals=trace(result.architecture).totals,
        toml=tomli_w.dumps(result.settings.values()),
        version=version("verydeep"),
        plots=plots,
    )


def sentence(text: str) -> str:
    """``text`` with a capital letter and an end."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?', ')')) else '.'}"


def done(result: TuneResult) -> str:
    """What was done, in one sentence."""
    network = _network(result)
    match result.chosen, result.settings.head:
        case "frozen", "gap":
            what = f"A new head on {network}'s frozen convolutions"
        case "frozen", _:
            what = f"A new last layer on {network}, whose other layers stayed as they were"
        case "full", _:
            what = f"{network}, trained on whole from a new head that was learnt first"
        case _:
            what = f"{network}, from new weights and these images alone"
    learnt = sum(part.images for part in result.parts if part.part != "test")
    classes = len(result.test.per_class)
    return (
        f"{what}: {classes} classes, learnt from {thousands(learnt)} images and measured on "
        f"{thousands(result.test.images)} that it had not seen."
    )


def _network(result: TuneResult) -> str:
    """What people call the network; a typed line has no name."""
    name = result.architecture.name.removesuffix("-gap")
    return PurePath(str(result.origin.get("weights", "the network"))).stem if "|" in name else name


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


def cut(result: TuneResult) -> str:
    """How the images were shared out, in words."""
    images = sum(part.images for part in result.parts)
    shares = [f"{_part_words(part)} ({percent(part.images / images, 1)})" for part in result.parts]
    by = result.settings.group_by
    together = (
        f"Images stay together by \N{LEFT DOUBLE QUOTATION MARK}{by}\N{RIGHT DOUBLE QUOTATION MARK}: "
        "no group is on two sides."
        if result.reading.groups is not None and by
        else "No group is on two sides."
        if result.reading.groups is not None
        else "Every image was taken for itself: where several show one thing, name what they share by "
        "--group-by, or the test is too kind."
    )
    return f"{'; '.join(shares)}. {together}"


def _part_words(part: PartSize) -> str:
    groups = "" if part.groups is None else f" in {thousands(part.groups)} groups"
    return f"{PARTS[part.part]}: {thousands(part.images)} images{groups}"


def sureness(result: TuneResult) -> str:
    """What the temperature says of the network, in words."""
    degree = result.temperature
    if abs(degree - 1) < 0.02:
        return "The network is about as sure as it is right; its probabilities stay as they are."
    way = "surer than it was right" if degree > 1 else "less sure than it was right"
    return (
        f"Left to itself the network was {way} on images held back from training. Its logits are divided by "
        f"{degree:.2f} (Guo et al. 2017), in every prediction from now on."
    )


def _read(result: TuneResult) -> str:
    """How many images the headline is about, and how often they were looked at."""
    (test,) = (part for part in result.parts if part.part == "test")
    groups = "" if test.groups is None else f" in {thousands(test.groups)} groups"
    often = "for each way" if result.settings.way == "compare" else "once"
    return f"{thousands(test.images)} images{groups}, read {often}"


def stopping(candidate: Candidate) -> str:
    """Where training ended and which epoch was kept, in words."""
    last, planned = candidate.epochs[-1].epoch, candidate.epochs[-1].epochs
    early = last < planned
    ended = (
        f"Stopped early, after {last} of {planned} epochs" if early else f"All {planned} epochs were trained"
    )
    if candidate.best_epoch is None:
        return f"{ended}."
    if candidate.best_epoch == last:
        return f"{ended}; the last was the best on the validation images, and was kept: more might do better."
    return f"{ended}; epoch {candidate.best_epoch} was the best on the validation images, and was kept."


def _curves(candidate: Candidate) -> tuple[plots.Chart, ...]:
    kept = candidate.best_epoch
    return (
        plots.accuracy_chart(candidate.epochs, kept=kept),
        plots.loss_chart(candidate.epochs, kept=kept),
    )


@dataclass(frozen=True)
class _Picture:
    """A mistake with its image inside the page; None where it can no longer be read."""

    mistake: MistakenImage
    uri: str | None


def _picture(mistake: MistakenImage) -> _Picture:
    return _Picture(mistake, small_picture(mistake.source))


def small_picture(source: Source) -> str | None:
    """The image as the address of itself, at most ``SIDE`` px; None where it can no longer be read."""
    try:
        image = read_image(source).convert("RGB")
    except DataError:
        return None
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return data_uri(np.asarray(image).transpose(2, 0, 1))
