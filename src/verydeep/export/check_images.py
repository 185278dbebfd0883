"""The images by which an exported network is compared with its checkpoint, and INT8 is calibrated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.builtin_names import is_builtin
from verydeep.data.normalize import fit_to_input, resize
from verydeep.data.split_file import WantedPart
from verydeep.data.stream import stream
from verydeep.data.synthetic import shapes
from verydeep.decoding.batch_size import auto_batch_size
from verydeep.errors import DataError
from verydeep.evaluate.builtin_images import read_builtin
from verydeep.evaluate.labeled_images import LabeledImages, read_labeled
from verydeep.evaluate.metrics import accuracy
from verydeep.image_sources.find_images import find_images
from verydeep.image_sources.image_source import ImageSource
from verydeep.image_sources.samples import Samples
from verydeep.user_path import user_path

MAX_CHECKED = 200
MAX_CALIBRATION = 30
"""More images make INT8 no better: docs/export.md."""
DRAWN_IMAGES = 16
_SMALLEST_DRAWING = 8
_ALL, _EVEN, _ODD = slice(None), slice(0, None, 2), slice(1, None, 2)


@dataclass(frozen=True)
class CheckImages:
    """Decoded images of the network's input size, with labels where they are known."""

    pixels: UInt8[np.ndarray, "count channels size size"]
    labels: Int64[np.ndarray, " count"] | None
    """Indices of the network's classes."""
    description: str
    """Which images these are."""
    note: str | None = None
    """Why some may be training images; None where that is ruled out, or the labels are unknown."""

    def __len__(self) -> int:
        return len(self.pixels)

    def accuracy(self, logits: Float32[np.ndarray, "count classes"]) -> float | None:
        """The accuracy of ``logits`` on these images, in [0, 1]; None without labels."""
        if self.labels is None:
            return None
        return accuracy(logits, self.labels)


@dataclass(frozen=True)
class GivenImages:
    """The user's images, of which some are for the check, and others for calibration."""

    check: CheckImages
    calibration: CheckImages | None = None
    """None where nothing is calibrated."""


def drawn_images(preprocess: Preprocess) -> CheckImages:
    """Drawn shapes, where no images are given."""
    drawn = shapes(
        DRAWN_IMAGES, size=max(_SMALLEST_DRAWING, preprocess.size), channels=preprocess.channels, seed=0
    )
    pixels = resize(drawn.pixels, preprocess.size)
    return CheckImages(pixels.numpy(), None, f"{DRAWN_IMAGES} drawn shapes, as no images were given")


def given_images(
    data: str,
    classes: tuple[str, ...],
    run: Path,
    preprocess: Preprocess,
    calibration: str | None = None,
) -> GivenImages:
    """Images of ``data`` for the check, and of ``calibration``, which may be the same, for calibration.

    Training images are for calibration and test images for the check. Where the images have no such parts,
    all of them are taken; every second one for the check where both names are of the same images. Where there
    are no labels of the network's classes, only logits are compared.

    Raises:
        DataError: if there is no readable image for one of the two, those for calibration are test images, or
            a built-in data set does not fit the network.
    """
    if calibration is None:
        return GivenImages(_check_images(data, classes, run, preprocess, _ALL))
    is_shared = _are_same(data, calibration)
    return GivenImages(
        _check_images(data, classes, run, preprocess, _ODD if is_shared else _ALL),
        _calibration_images(calibration, classes, run, preprocess, _EVEN if is_shared else _ALL),
    )


def _are_same(data: str, other: str) -> bool:
    """Whether two names are of the same images, as ``photos`` and ``photos/`` are."""
    return data == other or user_path(data).resolve() == user_path(other).resolve()


def _check_images(
    data: str, classes: tuple[str, ...], run: Path, preprocess: Preprocess, chosen: slice
) -> CheckImages:
    images = _read(data, classes, run)
    if isinstance(images, DataError):
        return _unlabeled(data, chosen, MAX_CHECKED, preprocess, images)
    indices = np.arange(len(images))
    if images.part == "test":
        return _labeled(images, indices, MAX_CHECKED, preprocess)
    check = _labeled(images, indices[chosen], MAX_CHECKED, preprocess)
    return replace(
        check,
        description=f"{check.description}, of which some may be training images",
        note=images.description,
    )


def _calibration_images(
    data: str, classes: tuple[str, ...], run: Path, preprocess: Preprocess, chosen: slice
) -> CheckImages:
    images = _read(data, classes, run)
    if isinstance(images, DataError):
        return _unlabeled(data, chosen, MAX_CALIBRATION, preprocess, images)
    indices = np.arange(len(images))[chosen]
    if images.part == "test":
        images = _read(data, classes, run, "train")
        if isinstance(images, DataError):
            raise DataError(
                f"{data} has test images only, and INT8 is calibrated on training images. Give `verydeep "
                "export` those for --int8, and these for --images"
            )
        indices = np.arange(len(images))
    return _labeled(images, indices, MAX_CALIBRATION, preprocess)


def _read(
    data: str, classes: tuple[str, ...], run: Path, part: WantedPart | None = None
) -> LabeledImages | DataError:
    """The labeled images of ``data``, or why files of your own have no labels for the network."""
    if is_builtin(data):
        return read_builtin(data, classes, part)
    try:
        return read_labeled(data, classes, run, part)
    except DataError as error:
        return error


def _labeled(
    images: LabeledImages, indices: Int64[np.ndarray, " some"], most: int, preprocess: Preprocess
) -> CheckImages:
    chosen = _evenly(indices, most)
    if isinstance(images.source, Samples):
        read, pixels = _decoded(images.source.select(chosen).sources, preprocess, images.name)
        chosen = chosen[read.numpy()]
    else:
        pixels = fit_to_input(torch.from_numpy(images.source[chosen]), preprocess)
    return CheckImages(pixels.numpy(), images.labels[chosen], f"{len(chosen):,} images of {images.name}")


def _unlabeled(data: str, chosen: slice, most: int, preprocess: Preprocess, reason: DataError) -> CheckImages:
    sources = find_images([data]).sources
    indices = _evenly(np.arange(len(sources))[chosen], most)
    _, pixels = _decoded([sources[index] for index in indices], preprocess, data)
    return CheckImages(
        pixels.numpy(), None, f"{len(pixels):,} images of {data}, without their labels ({reason})"
    )


def _evenly(indices: Int64[np.ndarray, " some"], most: int) -> Int64[np.ndarray, " chosen"]:
    """At most ``most`` of ``indices``, spread over all of them."""
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).round().astype(np.int64)]


def _decoded(
    sources: Sequence[ImageSource], preprocess: Preprocess, name: str
) -> tuple[Int64[Tensor, " read"], UInt8[Tensor, "read channels size size"]]:
    """The indices of the readable images, and their pixels."""
    batches = list(stream(sources, preprocess, auto_batch_size(preprocess.size**2)))
    read = torch.cat([batch.indices for batch in batches]) if batches else torch.zeros(0, dtype=torch.int64)
    if not len(read):
        raise DataError(
            f"{name} has too few readable images: the comparison needs one, and INT8 another one for its "
            "calibration"
        )
    return read, torch.cat([batch.pixels for batch in batches])
