"""A tuning in words: what was done, with which images, how it ended, how sure it is."""

from pathlib import PurePath

from verydeep.data.samples import Part
from verydeep.tables.format import percent, thousands
from verydeep.tune.result import Candidate, PartSize, TuneResult

PARTS: dict[Part, str] = {"train": "training", "val": "validation", "test": "test"}


def sentence(text: str) -> str:
    """``text`` with a capital letter and an end."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def done(result: TuneResult) -> str:
    """What was done, in one sentence."""
    network = _network(result)
    match result.chosen, result.settings.head:
        case "frozen", "auto" | "gap":
            what = f"A new head on {network}'s frozen convolutions"
        case "frozen", _:
            what = f"A new last layer on {network}, whose other layers stayed as they were"
        case "full", _:
            what = f"{network}, trained on whole from a new head that was learned first"
        case _:
            what = f"{network}, from new weights and these images alone"
    learned = sum(part.images for part in result.parts if part.part != "test")
    classes = len(result.test.per_class)
    return (
        f"{what}: {classes} classes, learned from {thousands(learned)} images and measured on "
        f"{thousands(result.test.images)} that it had not seen."
    )


def _network(result: TuneResult) -> str:
    """What people call the network; a typed line has no name."""
    name = result.architecture.name.removesuffix("-gap")
    return PurePath(str(result.origin.get("weights", "the network"))).stem if "|" in name else name


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


def read(result: TuneResult) -> str:
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
    if candidate.best_epoch == 0:
        return f"{ended}; none did better on the validation images than what it began with, which was kept."
    if candidate.best_epoch == last:
        return f"{ended}; the last was the best on the validation images, and was kept: more might do better."
    return f"{ended}; epoch {candidate.best_epoch} was the best on the validation images, and was kept."
