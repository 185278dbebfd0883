"""The split of a run among images that may lie elsewhere now, to use it and to save it again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from verydeep.added_images.recognition import recognize
from verydeep.data.content import content_hashes
from verydeep.data.split_file import SavedImage, read_groups, read_saved_images, write_split
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
    saved, content = _recognized(samples, read_saved_images(file))
    indices = np.array([index for index, image in enumerate(saved) if image is not None], dtype=np.int64)
    if not len(indices):
        return None
    chosen, images = samples.select(indices), tuple(image for image in saved if image is not None)
    groups = read_groups(file)
    if groups is not None and chosen.groups is None:
        chosen = replace(chosen, groups=tuple(groups[image.name] for image in images))
    chosen = replace(chosen, parts=tuple(image.part for image in images))
    return ImageSplit(chosen, None if content is None else tuple(content[i] for i in indices.tolist()))


def _recognized(
    samples: Samples, before: Sequence[SavedImage]
) -> tuple[list[SavedImage | None], list[bytes] | None]:
    """For each of ``samples`` the image of ``before`` that it is, and the hashes where they decide that."""
    if not any(image.content for image in before):
        named = {image.name: image for image in before}
        return [named.get(name) for name in samples.names], None
    content = content_hashes(samples.sources)
    found = zip(recognize(samples, content, before).earlier, content, strict=True)
    # A rewritten file is recognized by its name too, and so would be any image of the same name elsewhere.
    return [image if image and image.content == own.hex() else None for image, own in found], content
