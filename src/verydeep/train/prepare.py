"""The start of a training: images in memory or on disk, with their split, and the network."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import torch

from verydeep.architecture.preprocess import IMAGENET, Preprocess
from verydeep.check.grouping import group
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.builtin import load_dataset
from verydeep.data.builtin_names import is_builtin, require_known
from verydeep.data.content import content_hashes
from verydeep.data.images import Dataset
from verydeep.data.images_on_disk import DatasetOnDisk
from verydeep.data.split import stratified_split
from verydeep.data.split_checks import divided_groups, require_all_classes, with_class_notes
from verydeep.data.split_parts import is_split_here, with_test_part, with_validation_part
from verydeep.decoding.crop import Decoder
from verydeep.decoding.image_sizes import Size, are_about_square, image_sizes, median_short_side, shapes_text
from verydeep.download.download import Progress
from verydeep.image_sources.open_images import read_samples
from verydeep.image_sources.samples import Samples
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.parallel.store import first_of_host
from verydeep.train.recipe import Recipe
from verydeep.train.start.new_network import new_network
from verydeep.train.start.own_images import decoded, is_streamed, on_disk
from verydeep.train.start.pretrained import (
    at_size,
    fitting_size,
    pretrained_network,
    with_dropout,
    with_fit,
)
from verydeep.train.start.seen_images import other_weights, require_unseen_test, trained_runs


@dataclass(frozen=True)
class Prepared:
    """What a training starts with."""

    dataset: Dataset | DatasetOnDisk
    """Its validation images are held out of ``dataset.train``."""
    network: Checkpoint
    """As it starts, on the CPU: randomly initialized, or pretrained."""
    samples: Samples | None = None
    """The image files that ``dataset`` was read from, with their parts; None for a built-in data set."""
    notes: tuple[str, ...] = ()
    """What a person should know: unreadable images, the image size, augmentation that has no effect."""
    found: tuple[str, ...] = ()
    """Which images were found and what was passed over, in lines; none for a built-in data set."""


def prepare(
    recipe: Recipe, data: Dataset | str, progress: Progress | None = None, decoder: Decoder = "pillow"
) -> Prepared:
    """Read ``data`` and build, or load, the network that ``recipe`` asks for.

    Under torchrun, the first rank of each host downloads before its others; then all read and decode, as each
    keeps the images that it trains on, and each host has files of its own.

    Args:
        recipe: the training configuration.
        data: a data set in memory, the name of a built-in one, or a location that ``read_samples`` takes.
        progress: called while a built-in data set or published weights are downloaded.
        decoder: what decodes random crops of images that are not kept in memory.

    Raises:
        DataError: where the images cannot be used, or the weights were trained on test images.
        ArchitectureError: where the recipe names no network.
        ShapeError: where the network cannot take images of this size.
        CheckpointError: where the weights cannot be used.
        RecipeError: where stages of a new network are to be frozen.
    """
    if isinstance(data, str) and not is_builtin(data):
        require_known(data)
        prepared = _prepare_files(recipe, data, progress, decoder)
    else:
        prepared = _prepare_dataset(recipe, _dataset(data, progress), progress)
    return replace(prepared, notes=(*prepared.notes, *_augmentation_note(recipe)))


def _dataset(data: Dataset | str, progress: Progress | None) -> Dataset:
    if not isinstance(data, str):
        return data
    with first_of_host():  # it may be downloaded
        return load_dataset(data, progress=progress)


def _prepare_dataset(recipe: Recipe, dataset: Dataset, progress: Progress | None) -> Prepared:
    """From images in memory, at their own size or at that of the recipe."""
    dataset = with_validation(dataset.resized(recipe.size), recipe)
    if recipe.weights is None:
        return Prepared(dataset, _fitted(new_network(recipe, dataset), recipe))
    _, channels, height, width = dataset.train.pixels.shape
    network = _pretrained(recipe, recipe.weights, dataset.classes, progress, channels)
    return Prepared(dataset, _fitted(at_size(network, min(height, width)), recipe))


def _fitted(network: Checkpoint, recipe: Recipe) -> Checkpoint:
    return network if recipe.fit is None else with_fit(network, recipe.fit)


def with_validation(dataset: Dataset, recipe: Recipe) -> Dataset:
    """``dataset`` with the validation images that ``recipe`` holds out, if it does so."""
    if not recipe.validation or dataset.val is not None:
        return dataset
    kept, held_out = stratified_split(dataset.train.labels, recipe.validation, recipe.seed)
    return replace(dataset, train=dataset.train.select(kept), val=dataset.train.select(held_out))


def _prepare_files(recipe: Recipe, location: str, progress: Progress | None, decoder: Decoder) -> Prepared:
    """From your own images: they are split, and decoded at a size that fits them and the network."""
    with first_of_host():  # a data set of a hub is downloaded, and tables are kept in its cache
        samples = read_samples(location)
    samples = split_samples(samples, recipe, location)
    network = None
    if recipe.weights is not None:
        network = _pretrained(recipe, recipe.weights, samples.classes, progress)
    own_size = (network.preprocess if network else IMAGENET).size
    sizes = image_sizes(samples.sources)
    size, reason = fitting_size(recipe.size, median_short_side(sizes), own_size)
    preprocess = replace(IMAGENET, size=size, resize=None).with_fit(recipe.fit or "crop")
    if network is not None:
        network = _fitted(at_size(network, size), recipe)
        preprocess = network.preprocess
    dataset: Dataset | DatasetOnDisk
    if is_streamed(recipe, len(samples), preprocess):
        dataset, samples, note = on_disk(samples, preprocess, location, decoder)
    else:
        dataset, samples, note = decoded(samples, preprocess, location)
    read = with_class_notes(samples).reading
    found = read.lines(len(samples), len(samples.classes))
    skipped = f"skipped: {read.skipped_text}" if read.skipped else ""
    made = (f"images are resized to {reason}", _fit_note(preprocess, sizes))
    notes = tuple(filter(None, (skipped, *read.notes, *made, note)))
    return Prepared(dataset, network or _new_network_for(preprocess, recipe, dataset), samples, notes, found)


def split_samples(samples: Samples, recipe: Recipe, location: str) -> Samples:
    """``samples``, which are at ``location``, each with its part; no pixel is read.

    Raises:
        DataError: where they cannot be trained on or tested with, or the weights were trained on test images.
    """
    if recipe.group_by:
        samples = group(samples, recipe.group_by)
    given = samples
    samples = with_test_part(samples, recipe.test, recipe.seed)
    require_all_classes(samples)
    if recipe.validation:
        samples = with_validation_part(samples, recipe.validation, recipe.seed)
        require_all_classes(samples)
    _require_unseen_test(samples, location, recipe, was_split_here=is_split_here(given))
    return _with_group_note(samples, location, recipe.group_by)


def _with_group_note(samples: Samples, location: str, group_by: str | None) -> Samples:
    """``samples`` with a note where the parts that they came with divide groups."""
    divided = len(divided_groups(samples))
    if not divided:
        return samples
    by = ("--group-by", group_by) if group_by else ()
    check = shlex.join(["verydeep", "data", "check", location, *by, "--out", "findings.csv"])
    note = (
        f"{divided:,} of {len(set(samples.groups or ())):,} groups {'is' if divided == 1 else 'are'} in "
        "several parts of the split that the data came with (data leakage), so that results are too good; "
        f"`{check}` lists their images"
    )
    return replace(samples, reading=samples.reading.noted(note))


def _require_unseen_test(samples: Samples, location: str, recipe: Recipe, *, was_split_here: bool) -> None:
    """Refuse test images that the weights were trained on, or the network that this one grows from."""
    test = samples.of_parts("test")
    content = cache(partial(content_hashes, samples.select(test).sources))
    flag = "--grow-from" if recipe.weights is None else "--weights"
    for run in trained_runs(recipe.weights or recipe.grow_from):
        seen = run.seen(samples, test, location, content)
        require_unseen_test(samples, seen, run, other_weights(flag, is_split_here=was_split_here))


def _new_network_for(preprocess: Preprocess, recipe: Recipe, dataset: Dataset | DatasetOnDisk) -> Checkpoint:
    """Randomly initialized, for images that ``preprocess`` decoded."""
    network = with_fit(new_network(recipe, dataset), preprocess.fit)
    # Padding that is in the images already keeps its color only with the mean that it was made of.
    return replace(network, preprocess=preprocess) if preprocess.fit == "pad" else network


def _fit_note(preprocess: Preprocess, sizes: Sequence[Size]) -> str:
    """That the crop cuts much off; empty where it does not."""
    if preprocess.fit != "crop" or are_about_square(sizes):
        return ""
    return f"images are cropped: {shapes_text(sizes)}; --fit pad keeps them whole, and --fit squash too"


def _pretrained(
    recipe: Recipe,
    weights: str,
    classes: tuple[str, ...],
    progress: Progress | None,
    channels: int | None = None,
) -> Checkpoint:
    with first_of_host():  # they may be downloaded
        network = pretrained_network(
            weights, recipe.model, recipe.head, classes, recipe.seed, channels, progress
        )
    torch.manual_seed(recipe.seed)  # of dropout
    return with_dropout(network, recipe.dropout)


def _augmentation_note(recipe: Recipe) -> tuple[str, ...]:
    """Frozen stages are computed once per image and its mirror image: other augmentation has no effect."""
    others = replace(recipe.augment, flip="none") != AugmentConfig()
    if recipe.freeze in (0, "auto") or not others:
        return ()
    return ("with frozen stages only the horizontal flip augments the images",)
