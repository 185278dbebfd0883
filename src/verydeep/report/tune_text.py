"""Sentences of the page of `verydeep tune`: the method, the split, and the end of training."""

from pathlib import PurePath

from verydeep.image_sources.part_names import Part
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


def method_sentence(result: TuneResult) -> str:
    """The chosen strategy, the network, and the number of images, in one sentence."""
    network = _network(result)
    match result.chosen:
        case "linear-probe":
            method = f"Linear probe on frozen features of {network}"
        case "fine-tune":
            method = f"Fine-tuning of {network}, starting from a linear probe"
        case "scratch":
            method = f"Training of {network} from scratch"
    images = ", ".join(f"{thousands(part.images)} {PARTS[part.part]} images" for part in result.parts)
    return f"{method}: {len(result.test.per_class)} classes, {images}."


def _network(result: TuneResult) -> str:
    """The name of the network; that of its weights where it is an architecture string without a name."""
    if "|" in result.architecture.name:
        return PurePath(str(result.origin.get("weights", "the network"))).stem
    name, _, layer = result.architecture.name.removesuffix("-gap").partition("-to-")
    return f"{name} up to {layer}" if layer else name


def split_text(result: TuneResult) -> str:
    """The parts of the split, and the groups that it keeps together."""
    images = sum(part.images for part in result.parts)
    shares = [f"{_part_text(part)} ({percent(part.images / images, 1)})" for part in result.parts]
    return f"{'; '.join(shares)}. {_groups_text(result)}"


def _part_text(part: PartSize) -> str:
    return f"{PARTS[part.part]}: {_images_text(part)}"


def _images_text(part: PartSize) -> str:
    groups = "" if part.groups is None else f" in {thousands(part.groups)} groups"
    return f"{thousands(part.images)} images{groups}"


def _groups_text(result: TuneResult) -> str:
    if result.images.groups is None:
        return (
            "Images are not grouped. If several images show the same object, group them with --group-by; "
            "otherwise data leakage makes the test results too good."
        )
    by = result.asked.group_by
    what = f" (by \N{LEFT DOUBLE QUOTATION MARK}{by}\N{RIGHT DOUBLE QUOTATION MARK})" if by else ""
    return f"Images are grouped{what}: all images of a group are in the same part."


def evaluated_on(result: TuneResult) -> str:
    """The number of test images, and how often they were used."""
    (test,) = (part for part in result.parts if part.part == "test")
    often = "once per strategy" if result.asked.strategy == "compare" else "once"
    return f"{_images_text(test)}, used {often}"


def stopping_text(result: StrategyResult) -> str:
    """When training ended, and the epoch that was kept."""
    last, planned = result.epochs[-1].epoch, result.epochs[-1].epochs
    ended = (
        f"Early stopping ended training after {last} of {planned} epochs"
        if last < planned
        else f"All {planned} epochs were trained"
    )
    if result.best_epoch is None:
        return f"{ended}."
    if result.best_epoch == 0:
        return (
            f"{ended}; none was better on the validation images than the network before training, which was "
            "kept."
        )
    if result.best_epoch == last:
        return f"{ended}; the last was the best on the validation images, so more epochs may be better."
    return f"{ended}; epoch {result.best_epoch} was the best on the validation images and was kept."
