"""The images of a compression: those that calibrate, those that decide, and the test images, read once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.check.check import check_unreadable
from verydeep.check.grouping import read_grouped
from verydeep.data.builtin import load_dataset
from verydeep.data.builtin_names import is_builtin, require_known
from verydeep.data.images import Dataset
from verydeep.data.normalize import fit_to_input
from verydeep.data.split import grouped_split
from verydeep.data.split_file import SPLIT_FILE, with_saved_split
from verydeep.data.split_parts import indices_of, is_split_here, with_test_part
from verydeep.data.stream import DecodedBatch, stream
from verydeep.download.download import Progress
from verydeep.errors import CompressionError, DataError
from verydeep.evaluate.network_labels import network_labels
from verydeep.image_sources.find_images import find_images
from verydeep.image_sources.image_source import ImageSource, UnreadableImage
from verydeep.image_sources.part_names import Part as PartName
from verydeep.image_sources.samples import Samples
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.prepare import with_validation
from verydeep.train.recipe import parse_recipe

HELD_OUT = 0.25
"""The share of the training images that decides where there are no validation images."""
MOST_HELD_OUT = 10_000
TEST = 0.2
"""The share of images without a split that become test images."""
FLATTERS = (
    "no validation images: candidates are compared on a part of the training images, which flatters the "
    "original"
)
UNLABELED = "no labels: accuracy is agreement with the original network"


@dataclass(frozen=True)
class Part:
    """Some images of the input size, with labels where they are known."""

    pixels: UInt8[Tensor, "count channels size size"]
    labels: Int64[Tensor, " count"] | None
    """Indices of the network's classes."""
    groups: tuple[str, ...] | None = None
    """The images of a group are alike."""

    def __len__(self) -> int:
        return len(self.pixels)

    def select(self, indices: Int64[Tensor, " chosen"]) -> "Part":
        """The images at ``indices``."""
        labels = None if self.labels is None else self.labels[indices]
        groups = None if self.groups is None else tuple(self.groups[i] for i in indices.tolist())
        return Part(self.pixels[indices], labels, groups)


@dataclass(frozen=True, kw_only=True)
class CompressionImages:
    """All images that a compression uses."""

    name: str
    train: Part
    """They calibrate, and may be trained on."""
    val: Part
    """They decide what is kept."""
    test: Part | None
    """Read once, at the end."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know."""


def read_images(
    data: str | None, run: Path, network: Checkpoint, *, seed: int = 0, progress: Progress | None = None
) -> CompressionImages:
    """The images of ``data``, by default those that ``run`` was trained on, split as they were there.

    Args:
        data: a built-in data set, a folder, a list or shards.
        run: the run folder or the checkpoint.
        network: the network in it.
        seed: of parts that are chosen here.
        progress: called while a built-in data set is downloaded.

    Raises:
        CompressionError: where there are no images to calibrate by.
        DataError: where the images are of another kind: other classes, gray or color.
    """
    location = data or _data_of(run, network.origin)
    if is_builtin(location):
        images = _of_dataset(load_dataset(location, progress=progress), network)
    else:
        require_known(location)
        images = _of_files(location, run, network, seed)
    if len(images.train) < 2 or not len(images.val):
        raise CompressionError(
            f"{location} has too few images: {len(images.train)} to calibrate by and {len(images.val)} to "
            "decide by. Give more as --data"
        )
    return images


def _data_of(run: Path, origin: dict[str, Any]) -> str:
    data = origin.get("data")
    if isinstance(data, str) and (is_builtin(data) or Path(data).exists()):
        return data
    known = f"it was trained on {data!r}, which is not here" if data else "its training data is not known"
    raise CompressionError(f"no images to calibrate {run} by: {known}. Give them as --data FOLDER")


def _of_dataset(dataset: Dataset, network: Checkpoint) -> CompressionImages:
    """Of a built-in data set; the recipe in the checkpoint says which images were for validation."""
    channels = dataset.train.pixels.shape[1]
    if channels != network.preprocess.channels:
        raise DataError(
            f"{dataset.name} has images of {channels} channels, and the network takes "
            f"{network.preprocess.channels}. Give images of its own kind as --data"
        )
    recipe = network.origin.get("recipe")
    if isinstance(recipe, str) and "strategy" not in network.origin:
        dataset = with_validation(dataset, parse_recipe(recipe, "the recipe in the checkpoint"))

    def part(pixels: Tensor, labels: Tensor) -> Part:
        return Part(
            fit_to_input(pixels, network.preprocess),
            _relabeled(labels.numpy(), dataset, network),
        )

    train = part(dataset.train.pixels, dataset.train.labels)
    test = part(dataset.test.pixels, dataset.test.labels)
    if dataset.val is None:
        return _with_part_of_training(CompressionImages(name=dataset.name, train=train, val=train, test=test))
    val = part(dataset.val.pixels, dataset.val.labels)
    return CompressionImages(name=dataset.name, train=train, val=val, test=test)


def _of_files(location: str, run: Path, network: Checkpoint, seed: int) -> CompressionImages:
    """Of your own images, by the split that the run kept, or that of their folders, or one made here."""
    try:
        samples = read_grouped(location)
    except DataError as error:
        return _unlabeled(location, network.preprocess, error)
    split = (run if run.is_dir() else run.parent) / SPLIT_FILE
    kept = with_saved_split(samples, split) if split.exists() else samples
    note: tuple[str, ...] = ()
    if kept is samples and is_split_here(samples):
        note = (f"{samples.name} has no test part: {TEST:.0%} of its images are held out for the test",)
        kept = with_test_part(samples, TEST, seed)
    elif kept is samples:
        kept = replace(samples, parts=tuple(part or "train" for part in samples.parts))
    labels = _relabeled(kept.labels, kept, network)
    train, val, test = (_decoded(kept, labels, part, network.preprocess) for part in get_args(PartName))
    broken = check_unreadable(len(kept), [*train.broken, *val.broken, *test.broken], location)
    images = CompressionImages(
        name=samples.name,
        train=train.images,
        val=val.images,
        test=test.images if len(test.images) else None,
        notes=(*note, *filter(None, [broken])),
    )
    is_final = bool(len(images.val)) or len(images.train) < 2  # for the error of too few
    return images if is_final else _with_part_of_training(images)


def _relabeled(labels: Int64[np.ndarray, " count"], data: Dataset | Samples, network: Checkpoint) -> Tensor:
    """The labels of ``data`` as indices of the network's classes."""
    return torch.from_numpy(network_labels(labels, data.classes, network.classes, data.name))


class _Read(NamedTuple):
    """The images of one part that can be read, and those that cannot."""

    images: Part
    broken: tuple[UnreadableImage, ...]


def _decoded(samples: Samples, labels: Tensor, part: PartName, preprocess: Preprocess) -> _Read:
    chosen = indices_of(samples, part)
    selected = samples.select(chosen)
    read, pixels, broken = _pixels(selected.sources, preprocess)
    groups = selected.groups and tuple(selected.groups[i] for i in read.tolist())
    return _Read(Part(pixels, labels[chosen][read], groups), broken)


def _pixels(sources: Sequence[ImageSource], preprocess: Preprocess) -> DecodedBatch:
    """All readable images in one batch."""
    empty = torch.zeros(0, preprocess.channels, preprocess.size, preprocess.size, dtype=torch.uint8)
    batches = [DecodedBatch(torch.zeros(0, dtype=torch.int64), empty, ()), *stream(sources, preprocess, 64)]
    indices, pixels, broken = zip(*batches, strict=True)
    return DecodedBatch(torch.cat(indices), torch.cat(pixels), tuple(chain(*broken)))


def _unlabeled(location: str, preprocess: Preprocess, reason: DataError) -> CompressionImages:
    """Images without labels: every fourth decides, and there is no test."""
    pixels = _pixels(find_images([location]).sources, preprocess).pixels
    decides = torch.arange(len(pixels)) % 4 == 3
    return CompressionImages(
        name=location,
        train=Part(pixels[~decides], None),
        val=Part(pixels[decides], None),
        test=None,
        notes=(f"{UNLABELED} ({reason})",),
    )


def _with_part_of_training(images: CompressionImages) -> CompressionImages:
    """With a part of the training images, whole groups of them, in place of validation images."""
    assert images.train.labels is not None
    share = min(HELD_OUT, MOST_HELD_OUT / len(images.train))
    kept, held_out = grouped_split(images.train.labels, images.train.groups, share, 0)
    return replace(
        images,
        train=images.train.select(kept),
        val=images.train.select(held_out),
        notes=(*images.notes, FLATTERS),
    )
