"""The images of a compression: those that calibrate, those that decide, and the test images, read once."""

from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from verydeep.check.check import check_unreadable
from verydeep.compress.calibration import MAX_IMAGES
from verydeep.compress.image_part import ImagePart, read_part, spread
from verydeep.compress.origin import is_balanced
from verydeep.data.builtin import load_dataset
from verydeep.data.builtin_names import is_builtin, require_known
from verydeep.data.image_split import (
    ImageSplit,
    least_named,
    other_images_note,
    read_image_split,
    trained_parts,
)
from verydeep.data.images import Dataset, Images
from verydeep.data.normalize import fit_to_input
from verydeep.data.split import grouped_split
from verydeep.data.split_file import split_of_run
from verydeep.data.split_parts import indices_of, is_split_here, with_test_part, with_validation_part
from verydeep.download.download import Progress
from verydeep.errors import CompressionError, DataError, DownloadError
from verydeep.evaluate.network_labels import network_labels
from verydeep.image_sources.find_images import find_images, find_listing
from verydeep.image_sources.folders.layout import find_layout
from verydeep.image_sources.folders.walk import walk
from verydeep.image_sources.image_source import UnreadableImage
from verydeep.image_sources.labels import label_text
from verydeep.image_sources.open_images import read_samples
from verydeep.image_sources.part_names import Part
from verydeep.image_sources.samples import Samples
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.prepare import with_validation
from verydeep.train.recipe import parse_recipe
from verydeep.user_path import user_path
from verydeep.weight_files.checkpoint_description import is_checkpoint

HELD_OUT = 0.25
"""The share of the training images that decides where there are no validation images."""
MOST_HELD_OUT = 10_000
TEST = 0.2
"""The share of images without a split that become test images."""
MOST_BYTES = 2 * 1024**3
"""Of the pixels of one part, which are in memory: 14,000 images of 224 px, or all of Fashion-MNIST."""
FLATTERS = (
    "no validation images: candidates are compared on a part of the training images, which flatters the "
    "original"
)
PROBE_FLATTERS = (
    "a linear probe is trained on the validation images too: candidates are compared on images that it was "
    "trained on, which flatters the original"
)
GIVE_DATA = "Give them as --data FOLDER"
UNLABELED = "no labels: accuracy is agreement with the original network"


@dataclass(frozen=True, kw_only=True)
class CompressionImages:
    """All images that a compression uses."""

    name: str
    train: ImagePart
    """They calibrate, and may be trained on."""
    val: ImagePart
    """They decide what is kept."""
    test: ImagePart | None
    """Read once, at the end."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know."""
    split: ImageSplit | None = None
    """Of your own images with labels."""


def read_images(
    data: str | None,
    run: Path,
    network: Checkpoint,
    *,
    trains: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> CompressionImages:
    """The images of ``data``, by default those that ``run`` was trained on, split as they were there.

    Args:
        data: a built-in data set, a folder, a list or shards.
        run: the run folder or the checkpoint.
        network: the network in it.
        trains: whether networks are trained, on all training images; only 2,000 of them calibrate.
        seed: of parts that are chosen here.
        progress: called while a built-in data set is downloaded.

    Raises:
        CompressionError: where there are no images to calibrate by.
        DataError: where the images are of another kind: other classes, gray or color.
    """
    location = data or _data_of(run, network)
    fitting = MOST_BYTES // prod(network.model.architecture.input)
    most = _Most(train=fitting if trains else min(fitting, MAX_IMAGES), others=fitting)
    if is_builtin(location) and (data is not None or _saved_split_file(run) is None):
        images = _of_dataset(load_dataset(location, progress=progress), network, most, seed)
    else:
        try:
            require_known(location)
            images = _of_files(location, run, network, most, seed)
        except DataError as error:
            if data is not None:
                raise
            raise CompressionError(
                f"no images to calibrate {run} by: it was trained on {location!r}. {error}. {GIVE_DATA}"
            ) from None
    if len(images.train) < 2 or not len(images.val):
        raise CompressionError(
            f"{location} has too few images: {len(images.train)} to calibrate by and {len(images.val)} to "
            "decide by. Give more as --data"
        )
    return images


@dataclass(frozen=True, kw_only=True)
class _Most:
    """How many images are read at most."""

    train: int
    others: int


def _data_of(run: Path, network: Checkpoint) -> str:
    """What ``run`` was trained on: a built-in data set, or images that are still there.

    Raises:
        CompressionError: where that is not known, or not there.
    """
    data = network.origin.get("data")
    if not isinstance(data, str):
        raise CompressionError(
            f"no images to calibrate {run} by: its training data is not known. {GIVE_DATA}"
        )
    is_own = _saved_split_file(run) is not None  # whatever their name
    if is_builtin(data) and not is_own:
        return data
    only_name = is_builtin(data) or is_balanced(network)  # `tune` saves no location
    if only_name and not Path(data).exists():
        raise CompressionError(
            f"no images to calibrate {run} by: it was trained on {data!r}, which is not here. {GIVE_DATA}"
        )
    return data


def _of_dataset(dataset: Dataset, network: Checkpoint, most: _Most, seed: int) -> CompressionImages:
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
    notes: tuple[str, ...] = ()
    if dataset.val is None:
        kept, held_out = grouped_split(dataset.train.labels, None, _held_out_share(len(dataset.train)), seed)
        train, val = dataset.train.select(kept), dataset.train.select(held_out)
        notes = (FLATTERS,)
    else:
        train, val = dataset.train, dataset.val

    def part(images: Images, count: int) -> ImagePart:
        chosen = images.select(spread(len(images), count))
        labels = _relabeled(chosen.labels.numpy(), dataset, network)
        return ImagePart(fit_to_input(chosen.pixels, network.preprocess), labels)

    return CompressionImages(
        name=dataset.name,
        train=part(train, most.train),
        val=part(val, most.others),
        test=part(dataset.test, most.others),
        notes=notes,
    )


def _held_out_share(images: int) -> float:
    return min(HELD_OUT, MOST_HELD_OUT / max(1, images))


def _of_files(location: str, run: Path, network: Checkpoint, most: _Most, seed: int) -> CompressionImages:
    """Of your own images, by the split that the run kept, or that of their folders, or one made here."""
    try:
        samples = read_samples(location)
    except DataError as error:
        if isinstance(error, DownloadError) or not _has_no_labels(location):
            raise
        return _unlabeled(location, network, most, error)
    is_probe = "val" in trained_parts(network.origin)
    least = least_named(location, network.origin)
    split, notes = _split(samples, run, seed, least, is_probe=is_probe)
    samples = split.samples
    labels = _relabeled(samples.labels, samples, network)
    broken: list[UnreadableImage] = []

    def part(name: Part, count: int) -> ImagePart:
        indices = indices_of(samples, name)
        indices = indices[spread(len(indices), count)]
        chosen = samples.select(indices)
        images, unreadable = read_part(chosen.sources, network.preprocess, labels[indices], chosen.groups)
        broken.extend(unreadable)
        return images

    train, val, test = part("train", most.train), part("val", most.others), part("test", most.others)
    read = len(train) + len(val) + len(test) + len(broken)
    notes += tuple(filter(None, [check_unreadable(read, broken, location)]))
    return CompressionImages(
        name=samples.name,
        train=train,
        val=val,
        test=test if len(test) else None,
        notes=notes,
        split=split,
    )


def _has_no_labels(location: str) -> bool:
    """Whether none of the images at ``location`` has a label.

    Raises:
        DataError: where a list, shards or a data set cannot be read.
    """
    if (listing := find_listing(location)) is not None:
        return not any(map(label_text, listing.labels))
    folder = user_path(location)
    return not folder.is_dir() or not find_layout(walk(folder)).labeled


def _split(
    samples: Samples, run: Path, seed: int, least: float, *, is_probe: bool
) -> tuple[ImageSplit, tuple[str, ...]]:
    """``samples`` with the part of each, and what is to be said of it; ``run`` may be a linear probe."""
    split, notes = _saved_split(samples, run, least)
    if split is not None and is_probe and "val" in split.samples.parts:
        notes += (PROBE_FLATTERS,)
    if split is None and is_split_here(samples):
        notes += (f"{samples.name} has no test part: {TEST:.0%} of its images are held out for the test",)
        split = ImageSplit(with_test_part(samples, TEST, seed))
    elif split is None:
        split = ImageSplit(replace(samples, parts=tuple(part or "train" for part in samples.parts)))
    training = len(indices_of(split.samples, "train"))
    if "val" not in split.samples.parts and training >= 2:
        divided = with_validation_part(split.samples, _held_out_share(training), seed)
        split, notes = replace(split, samples=divided), (*notes, FLATTERS)
    return split, notes


def _saved_split_file(run: Path) -> Path | None:
    """The split that ``run`` kept of your own images, if it did."""
    return split_of_run(run) if run.is_dir() or is_checkpoint(run) else None


def _saved_split(samples: Samples, run: Path, least: float) -> tuple[ImageSplit | None, tuple[str, ...]]:
    """Those of ``samples`` that are in the split of ``run``, if any are, and a note where not all are."""
    file = _saved_split_file(run)
    if file is None:
        return None, ()
    split, count = read_image_split(file, samples, least), len(samples)
    if split is None:
        return None, (other_images_note(file, samples),)
    if len(split.samples) == count:
        return split, ()
    known = (
        f"{len(split.samples):,} of the {count:,} images of {samples.name} are in the split of {file.parent}"
    )
    return split, (f"{known}; the others are not used",)


def _relabeled(labels: Int64[np.ndarray, " count"], data: Dataset | Samples, network: Checkpoint) -> Tensor:
    """The labels of ``data`` as indices of the network's classes."""
    return torch.from_numpy(network_labels(labels, data.classes, network.classes, data.name))


def _unlabeled(location: str, network: Checkpoint, most: _Most, reason: DataError) -> CompressionImages:
    """Images without labels: every fourth decides, and there is no test."""
    sources = find_images([location]).sources
    decides = np.arange(len(sources)) % 4 == 3
    calibrate, decide = np.flatnonzero(~decides), np.flatnonzero(decides)
    broken: list[UnreadableImage] = []

    def part(indices: np.ndarray, count: int) -> ImagePart:
        chosen = [sources[i] for i in indices[spread(len(indices), count).numpy()]]
        images, unreadable = read_part(chosen, network.preprocess)
        broken.extend(unreadable)
        return images

    train, val = part(calibrate, most.train), part(decide, most.others)
    message = check_unreadable(len(train) + len(val) + len(broken), broken, location)
    notes = (f"{UNLABELED} ({reason})", *filter(None, [message]))
    return CompressionImages(name=location, train=train, val=val, test=None, notes=notes)
