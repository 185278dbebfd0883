"""The split of a run among images that may lie elsewhere now, to use it and to save it again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from verydeep.data.content import content_hashes
from verydeep.data.recognition import recognize
from verydeep.data.split_file import (
    read_groups,
    read_saved_images,
    read_split,
    saves_content,
    with_saved_split,
    write_split,
)
from verydeep.image_sources.part_names import Part
from verydeep.image_sources.samples import Samples
from verydeep.user_path import is_same_data

LEAST_NAMED = 0.5
"""The share of images that are in a split by their names: with fewer, as of two cameras, it may be chance."""


@dataclass(frozen=True)
class ImageSplit:
    """Images with their parts, as a run folder keeps them."""

    samples: Samples
    """Each with its part."""
    content: tuple[bytes, ...] | None = None
    """A hash of each file; None where none are kept."""

    def write(self, file: Path) -> None:
        """Save it."""
        write_split(self.samples, file, self.content)


def read_image_split(file: Path, samples: Samples, least: float = LEAST_NAMED) -> ImageSplit | None:
    """Those of ``samples`` that are in the split in ``file``, with its parts and groups; None if none are.

    They are the same by the content of the file, under any name; by the name where no content was saved.
    Groups of ``samples`` are kept.

    Args:
        file: of the split.
        samples: the images.
        least: with fewer of their names in a split without content, in [0, 1], they are other images.

    Raises:
        DataError: where the file is not a split.
    """
    if not saves_content(file):
        named = with_saved_split(samples, file)
        are_others = named is samples or len(named) < least * len(samples)
        return None if are_others else ImageSplit(named)
    content = content_hashes(samples.sources)
    earlier = recognize(samples, content, read_saved_images(file)).earlier
    # A rewritten file is recognized by its name too, and so would be any image of the same name elsewhere.
    same = [
        (index, image)
        for index, image in enumerate(earlier)
        if image is not None and image.content == content[index].hex()
    ]
    if not same:
        return None
    chosen = samples.select(np.array([index for index, _ in same], dtype=np.int64))
    groups = read_groups(file)
    if groups is not None and chosen.groups is None:
        chosen = replace(chosen, groups=tuple(groups[image.name] for _, image in same))
    chosen = replace(chosen, parts=tuple(image.part for _, image in same))
    return ImageSplit(chosen, tuple(content[index] for index, _ in same))


def least_named(location: str, origin: Mapping[str, Any]) -> float:
    """What ``read_image_split`` takes for images at ``location`` and the split of a network of this origin.

    Zero where the network was trained: more images came since, and the names that are known are no chance.
    """
    return 0.0 if is_same_data(str(origin.get("data", "")), location) else LEAST_NAMED


def trained_parts(origin: Mapping[str, Any]) -> tuple[Part, ...]:
    """The parts of a split that a network of this origin was trained on: a linear probe on validation too."""
    return ("train", "val") if origin.get("strategy") == "linear-probe" else ("train",)


def other_images_note(file: Path, samples: Samples) -> str:
    """What a reader should know of ``samples`` for which ``read_image_split`` gives None."""
    images, run = f"{len(samples):,} images of {samples.name}", file.parent
    named = 0 if saves_content(file) else len(read_split(file).keys() & set(samples.names))
    if not named:
        return f"none of the {images} is in the split of {run}"
    return (
        f"{named:,} of the {images} have names that are also in the split of {run}: too few to be the images "
        "of the run, so that none is taken for one"
    )
