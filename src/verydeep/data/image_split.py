"""The split of a run among images that may lie elsewhere now, to use it and to save it again."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from verydeep.data.content import content_hashes
from verydeep.data.recognition import recognize
from verydeep.data.split_file import (
    read_groups,
    read_saved_images,
    saves_content,
    with_saved_split,
    write_split,
)
from verydeep.image_sources.samples import Samples


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


def read_image_split(file: Path, samples: Samples) -> ImageSplit | None:
    """Those of ``samples`` that are in the split in ``file``, with its parts and groups; None if none are.

    They are the same by the content of the file, under any name; by the name where no content was saved.
    Groups of ``samples`` are kept.

    Raises:
        DataError: where the file is not a split.
    """
    if not saves_content(file):
        named = with_saved_split(samples, file)
        return None if named is samples else ImageSplit(named)
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
