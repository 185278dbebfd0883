"""Sentences of the page of `verydeep tune`: what was done, how images were split, how training ended."""

from pathlib import PurePath

from verydeep.data.samples import Part
from verydeep.number_format import percent, thousands
from verydeep.tune.config import Strategy
from verydeep.tune.result import PartSize, StrategyResult, TuneResult

PARTS: dict[Part, str] = {"train": "training", "val": "validation", "test": "test"}

STRATEGIES: dict[Strategy, str] = {
    "linear-probe": "linear probe",
    "fine-tune": "fine-tuning",
    "scratch": "training from scratch",
}
"""The names of the strategies in sentences."""


def sentence(text: str) -> str:
    """``text`` with a capital letter and an end."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def method_sentence(result: TuneResult) -> str:
    """What was done, in one sentence."""
    network = _network(result)
    match result.chosen:
        case "linear-probe":
            what = f"A linear probe on the frozen features of {network}"
        case "fine-tune":
            what = f"{network}, fine-tuned from a linear probe"
        case "scratch":
            what = f"{network}, trained from scratch on these images alone"
    trained = sum(part.images for part in result.parts if part.part != "test")
    return (
        f"{what}: {len(result.test.per_class)} classes, trained and validated on {thousands(trained)} "
        f"images, and tested on {thousands(result.test.images)} others."
    )


def _network(result: TuneResult) -> str:
    """What people call the network; one that is given as an architecture string has no name."""
    name = result.architecture.name.removesuffix("-gap")
    return PurePath(str(result.origin.get("weights", "the network"))).stem if "|" in name else name


def split_text(result: TuneResult) -> str:
    """The parts of the split, and what was kept together."""
    images = sum(part.images for part in result.parts)
    shares = [f"{_part_text(part)} ({percent(part.images / images, 1)})" for part in result.parts]
    by = result.asked.group_by
    together = (
        f"Images are grouped by \N{LEFT DOUBLE QUOTATION MARK}{by}\N{RIGHT DOUBLE QUOTATION MARK}: "
        "no group is on two sides."
        if result.images.groups is not None and by
        else "No group is on two sides."
        if result.images.groups is not None
        else "Images are not grouped: if several show the same thing, say so by --group-by, or the test "
        "results are too good."
    )
    return f"{'; '.join(shares)}. {together}"


def _part_text(part: PartSize) -> str:
    groups = "" if part.groups is None else f" in {thousands(part.groups)} groups"
    return f"{PARTS[part.part]}: {thousands(part.images)} images{groups}"


def test_text(result: TuneResult) -> str:
    """How many images the headline is measured on, and how often they were used."""
    (test,) = (part for part in result.parts if part.part == "test")
    groups = "" if test.groups is None else f" in {thousands(test.groups)} groups"
    often = "once for each strategy" if result.asked.strategy == "compare" else "once"
    return f"{thousands(test.images)} images{groups}, used {often}"


def stopping_text(result: StrategyResult) -> str:
    """Where training ended, and which epoch was kept."""
    last, planned = result.epochs[-1].epoch, result.epochs[-1].epochs
    ended = (
        f"Early stopping ended training after {last} of {planned} epochs"
        if last < planned
        else f"All {planned} epochs were trained"
    )
    if result.best_epoch is None:
        return f"{ended}."
    if result.best_epoch == 0:
        return f"{ended}; none was better on the validation images than the start, which was kept."
    if result.best_epoch == last:
        return f"{ended}; the last was the best on the validation images: more epochs may be better."
    return f"{ended}; epoch {result.best_epoch} was the best on the validation images, and was kept."
