"""Your own images as training takes them: in memory or on disk, without those that cannot be read."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.check.check import check_unreadable
from verydeep.data.images import Dataset
from verydeep.data.images_on_disk import DatasetOnDisk, ImagesOnDisk
from verydeep.data.split_checks import require_all_classes
from verydeep.data.split_parts import indices_of
from verydeep.data.stream import decode_readable, require_readable, unreadable_images
from verydeep.decoding import fast_jpeg
from verydeep.decoding.crop import Decoder
from verydeep.errors import CheckpointError
from verydeep.image_sources.image_source import UnreadableImage
from verydeep.image_sources.part_names import Part
from verydeep.image_sources.samples import Samples
from verydeep.torchrun import local_rank, local_world_size
from verydeep.train.parallel.collectives import merged
from verydeep.train.parallel.ranks import is_alone
from verydeep.train.parallel.store import wait_for_all
from verydeep.train.recipe import Recipe

MEMORY_LIMIT = 4 * 2**30
"""Bytes of pixels that are kept in memory. It does not depend on the machine, as crops differ a little where
images are streamed (``decoding/crop.py``): a recipe gives the same training everywhere."""


def is_streamed(recipe: Recipe, images: int, preprocess: Preprocess) -> bool:
    """Whether so many images are decoded in each epoch, instead of being kept in memory."""
    return recipe.stream == "on" or (recipe.stream == "auto" and exceed_memory(images, preprocess))


def exceed_memory(images: int, preprocess: Preprocess) -> bool:
    """Whether the pixels of so many images are too many to be kept in memory."""
    return images * preprocess.channels * preprocess.size**2 > MEMORY_LIMIT


def on_disk(
    samples: Samples, preprocess: Preprocess, location: str, decoder: Decoder
) -> tuple[DatasetOnDisk, Samples, str]:
    """The images on disk, without those of validation and test that cannot be read; as ``decoded``.

    Each of those is decoded once for that: they are counted one by one. A training image that cannot be read
    is found out while training (``ImagesOnDisk``).

    Raises:
        CheckpointError: where the decoder, which is that of a run that is resumed, is not installed here.
    """
    if decoder == "fast" and not fast_jpeg.is_installed():
        raise CheckpointError(
            "the run was started with the decoder fast (simplejpeg and OpenCV), which is not installed: pip "
            "install 'verydeep[fast]' to resume it to the same bits, or start over with --new"
        )
    counted = indices_of(samples, "val", "test")
    unreadable = _unreadable(samples, counted, preprocess)
    note = check_unreadable(len(counted), unreadable, location)
    samples = _without(samples, unreadable)

    def part_of(part: Part) -> ImagesOnDisk:
        part_samples = samples.select(indices_of(samples, part))
        return ImagesOnDisk(
            sources=part_samples.sources,
            labels=torch.from_numpy(part_samples.labels),
            classes=samples.classes,
            preprocess=preprocess,
            decoder=decoder,
            location=location,
        )

    val = part_of("val")
    dataset = DatasetOnDisk(samples.name, part_of("train"), part_of("test"), val if len(val) else None)
    streamed = f"images are decoded in each epoch, and not kept in memory (decoder {decoder})"
    return dataset, samples, f"{streamed}. {note}" if note else streamed


def _unreadable(
    samples: Samples, indices: Int64[Tensor, " chosen"], preprocess: Preprocess
) -> tuple[UnreadableImage, ...]:
    """The images at ``indices`` that cannot be read on any host.

    The ranks of a host share the work, as they have the same files; all ranks leave out the same images.

    Raises:
        RankError: where another rank has ended.
    """
    if is_alone():
        return unreadable_images(samples.select(indices).sources, preprocess)
    mine = samples.select(indices[local_rank() :: local_world_size()])
    found = unreadable_images(mine.sources, preprocess)
    wait_for_all("examined")  # the files of other hosts may be slower
    reasons = {each.source: (each.reason, each.kind) for each in found}
    named = zip(mine.names, mine.sources, strict=True)
    of_everyone = merged({name: reasons[source] for name, source in named if source in reasons})
    if not of_everyone:
        return ()
    counted = samples.select(indices)
    return tuple(
        UnreadableImage(source, *of_everyone[name])
        for name, source in zip(counted.names, counted.sources, strict=True)
        if name in of_everyone
    )


def _without(samples: Samples, unreadable: Sequence[UnreadableImage]) -> Samples:
    """The images of ``samples`` that can be read.

    Raises:
        DataError: where a class has no images left.
    """
    if unreadable:
        missing = {each.source for each in unreadable}
        readable = [i for i, source in enumerate(samples.sources) if source not in missing]
        samples = samples.select(torch.tensor(readable, dtype=torch.int64))
    require_all_classes(samples)
    return samples


def decoded(samples: Samples, preprocess: Preprocess, location: str) -> tuple[Dataset, Samples, str]:
    """All images that can be read, in memory; their samples; and a note on those that cannot."""
    parts: list[Part] = ["train", "val", "test"]
    # Part by part: to divide the pixels of all of them would take twice their memory.
    read = [decode_readable(samples.select(indices_of(samples, part)), preprocess) for part in parts]
    train, val, test = (images for images, _ in read)
    unreadable = [each for _, of_part in read for each in of_part]
    require_readable(samples, unreadable)
    note = check_unreadable(len(samples), unreadable, location)
    samples = _without(samples, unreadable)
    return Dataset(samples.name, train, test, val if len(val) else None), samples, note
