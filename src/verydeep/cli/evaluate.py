"""``verydeep evaluate``: how good a trained network is on labeled images."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from cyclopts import Parameter
from torch import Tensor

from verydeep.data.samples import UnreadableImage
from verydeep.data.split_file import WantedPart
from verydeep.errors import DataError, ShapeError
from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.evaluation import Evaluation, evaluate_logits
from verydeep.evaluate.labeled_images import LabeledImages, read_labeled
from verydeep.evaluate.metrics import most_confident_mistakes
from verydeep.evaluate.protocols import Protocol, ProtocolName, look, protocol
from verydeep.models.checkpoint import Checkpoint
from verydeep.report.evaluation_page import EvaluationReport, write_evaluation
from verydeep.report.pictures import Picture, picture
from verydeep.tables.evaluation_table import evaluation_table
from verydeep.terminal.console import err, out, print_json
from verydeep.terminal.progress import ByteProgress, ImageProgress
from verydeep.train.device import Device, choose_device
from verydeep.weights.load import load_classifier


def evaluate(
    run: Annotated[Path, Parameter(name="RUN")],
    data: Annotated[str, Parameter(name="DATA")],
    /,
    *,
    protocol_: Annotated[ProtocolName, Parameter(name="--protocol")] = "single",
    scales: str | None = None,
    flip: bool = True,
    part: WantedPart | None = None,
    group_by: str | None = None,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    device: Device = "auto",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Measure the network of RUN on the labeled images of DATA: their test part where there is one.

    A broken file is reported, and the rest goes on; the exit code is then 1.

    Parameters
    ----------
    run
        A run folder, a checkpoint, or a weight file of torchvision, timm, Keras or others.
    data
        A folder with a folder of images for each class, or the name of a built-in data set.
    protocol_
        How images are shown: single as in training, dense (whole images), multi-scale (dense at three
        scales), multi-crop (5 x 5 crops at three scales), ten-crop.
    scales
        Short sides of the whole images in px, such as 256,384,512.
    flip
        Show mirror images too; never with the protocol single.
    part
        Which images: test, val, train or all. By default the test images that RUN or DATA keeps, else all.
    group_by
        A pattern for the images' names, such as 'photo_[0-9]+': intervals are then over groups of images.
    out_
        Write a page too: confusions, reliability, mistakes with pictures.
    device
        Where to compute; auto takes a GPU where there is one.
    json
        Print one JSON object: top1, top5, loss, per_class, balanced_accuracy, macro_f1, intervals and more.
    """
    network = load_classifier(run)
    way = protocol(protocol_, network.preprocess, scales=_numbers(scales), flip=flip)
    images = _read(data, network.classes, run, part, group_by)
    err().print(f"Measuring on {images.description}", markup=False, soft_wrap=True)
    measured = _measure(network, images, way, device)
    for unreadable in measured.broken:
        err().print(unreadable.reason, markup=False, soft_wrap=True)
    if out_ is not None:
        write_evaluation(_report(network, images, way, measured), out_)
    if json:
        print_json(_values(measured, way, images))
    else:
        out().print(evaluation_table(measured.evaluation))
        if out_ is not None:
            out().print(f"Page: {out_}", markup=False, soft_wrap=True)
    return 1 if measured.broken else 0


def _read(
    data: str, classes: tuple[str, ...], run: Path, part: WantedPart | None, group_by: str | None
) -> LabeledImages:
    with ByteProgress(err(), f"Downloading {data}") as progress:
        return read_labeled(data, classes, run, part, group_by, progress)


def _numbers(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise ShapeError(f"--scales is {text!r}; expected short sides in px, such as 256,384,512") from None


@dataclass(frozen=True)
class _Measured:
    evaluation: Evaluation
    logits: Tensor
    labels: Tensor
    places: Tensor
    """Of each row, in what was asked for: broken files have none."""
    broken: tuple[UnreadableImage, ...]


def _measure(network: Checkpoint, images: LabeledImages, way: Protocol, device: Device) -> _Measured:
    model = network.model.to(choose_device(device))
    with ImageProgress(err(), "Evaluating", len(images)) as progress:
        seen = list(progress.follow(look(model, images.source, network.preprocess, way)))
    broken = tuple(each for part in seen for each in part.broken)
    places, logits = torch.cat([part.indices for part in seen]), torch.cat([part.logits for part in seen])
    if not len(places):
        raise DataError(f"none of the {len(images)} images can be read: {broken[0].reason}")
    labels = images.labels[places]
    evaluation = evaluate_logits(
        logits,
        labels,
        network.classes,
        groups=images.groups and tuple(images.groups[i] for i in places.tolist()),
        temperature=_temperature(network, way),
    )
    return _Measured(evaluation, logits, labels, places, broken)


def _temperature(network: Checkpoint, way: Protocol) -> float | None:
    """What the training fitted, on validation images that were shown once: it fits no other protocol."""
    known = network.origin.get("temperature")
    return float(known) if known is not None and way.name == "single" else None


def _values(measured: _Measured, way: Protocol, images: LabeledImages) -> dict[str, Any]:
    result = measured.evaluation
    scaled = result.scaled
    return {
        "top1": result.top1,
        "top5": result.top5,
        "loss": result.loss,
        "per_class": result.per_class,
        "balanced_accuracy": result.balanced_accuracy,
        "macro_f1": result.macro_f1,
        "brier": result.brier,
        "calibration_error": result.calibration.error,
        "temperature": scaled and scaled.temperature,
        "scaled_loss": scaled and scaled.loss,
        "scaled_calibration_error": scaled and scaled.calibration.error,
        "intervals": {name: _ends(interval) for name, interval in result.intervals.items()},
        "precision": {name: score.precision for name, score in result.scores.items()},
        "f1": {name: score.f1 for name, score in result.scores.items()},
        "confusion": result.confusion,
        "without_images": result.without_images,
        "images": result.images,
        "groups": result.groups,
        "part": images.part,
        "protocol": {"name": way.name, "scales": way.scales, "flip": way.flip},
        "broken": [unreadable.values for unreadable in measured.broken],
    }


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def _report(
    network: Checkpoint, images: LabeledImages, way: Protocol, measured: _Measured
) -> EvaluationReport:
    notes = []
    if measured.broken:
        notes.append(f"{len(measured.broken):,} files could not be read, and are left out.")
    if "temperature" in network.origin and way.name != "single":
        notes.append("The temperature that is known was fitted for the protocol single: nothing is scaled.")
    return EvaluationReport(
        title=f"{network.model.architecture.name} on {images.name}",
        images=images.description,
        protocol=way.words,
        evaluation=measured.evaluation,
        pictures=tuple(_pictures(images, measured, network.classes)),
        notes=tuple(notes),
        command=shlex.join(["verydeep", *sys.argv[1:]]),
    )


def _pictures(images: LabeledImages, measured: _Measured, classes: tuple[str, ...]) -> list[Picture]:
    found = []
    for mistake in most_confident_mistakes(measured.logits, measured.labels, classes):
        place = int(measured.places[mistake.index])
        found.append(picture(mistake, images.thumbnail(place).numpy(), images.name_of(place)))
    return found
