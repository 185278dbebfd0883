"""``verydeep predict``: what is in image files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from cyclopts import Parameter
from rich.progress import track

from verydeep.cli.console import err, out, print_json
from verydeep.data.decode import decode, image_files
from verydeep.errors import DataError
from verydeep.evaluate.predict import predict as predict_logits
from verydeep.recipes.machine import Device, choose_device
from verydeep.report.numbers import percent
from verydeep.weights.checkpoint import Checkpoint
from verydeep.weights.load import load_classifier

BATCH_SIZE = 64


@dataclass(frozen=True)
class Prediction:
    """What the network sees in one file, or why the file cannot be read."""

    file: Path
    probabilities: dict[str, float] | None = None
    """Of every class, in [0, 1], the likeliest first."""
    error: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        if self.probabilities is None:
            return {"file": str(self.file), "error": self.error}
        label, confidence = next(iter(self.probabilities.items()))
        return {
            "file": str(self.file),
            "label": label,
            "confidence": confidence,
            "probabilities": self.probabilities,
        }


def predict(
    run: Annotated[Path, Parameter(name="RUN")],
    images: Annotated[list[str], Parameter(name="IMAGE")],
    /,
    *,
    device: Device = "auto",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Name what is in each IMAGE: files, folders and globs. A broken file is reported, and the rest goes on.

    Parameters
    ----------
    run
        A run folder, a checkpoint, or a weight file of torchvision, timm, Keras or others.
    images
        Image files of any size and mode, folders of them, or globs.
    device
        Where to compute; auto takes a GPU where there is one.
    json
        Print one JSON list, an object a file.
    """
    network = load_classifier(run)
    network.model.to(choose_device(device))
    files = image_files(images)
    predictions = [
        prediction
        for batch in track(_batches(files), "Predicting", console=err(), transient=True)
        for prediction in _predict_batch(network, batch)
    ]
    if json:
        print_json([prediction.values for prediction in predictions])
    else:
        for prediction in predictions:
            _say(prediction)
    return 1 if any(prediction.error for prediction in predictions) else 0


def _batches(files: list[Path]) -> list[list[Path]]:
    return [files[start : start + BATCH_SIZE] for start in range(0, len(files), BATCH_SIZE)]


def _predict_batch(network: Checkpoint, files: list[Path]) -> Iterator[Prediction]:
    """A prediction for each file, in order."""
    pixels, errors = {}, {}
    for file in files:
        try:
            pixels[file] = decode(file, network.preprocess)
        except DataError as error:
            errors[file] = str(error)
    if pixels:
        logits = predict_logits(network.model, torch.stack(list(pixels.values())), network.preprocess)
        rows = dict(zip(pixels, logits.softmax(1), strict=True))
    for file in files:
        yield (
            Prediction(file, error=errors[file])
            if file in errors
            else Prediction(file, _sorted(rows[file], network.classes))
        )


def _sorted(probabilities: torch.Tensor, classes: tuple[str, ...]) -> dict[str, float]:
    places = probabilities.argsort(descending=True, stable=True).tolist()
    return {classes[place]: float(probabilities[place]) for place in places}


def _say(prediction: Prediction) -> None:
    if prediction.probabilities is None:
        err().print(f"{prediction.file}: {prediction.error}", markup=False, soft_wrap=True)
        return
    likeliest = list(prediction.probabilities.items())[:3]
    said = ", ".join(f"{label} {percent(probability, 1)}" for label, probability in likeliest)
    out().print(f"{prediction.file}: {said}", markup=False, soft_wrap=True)
