"""Data check: examines every image of a data set and finds its duplicates."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from verydeep.check.duplicates import MIN_SIMILARITY, Duplicates, find_duplicates
from verydeep.check.examine import ImageFacts, examine_all
from verydeep.check.group_names import GroupProposal, propose_groups
from verydeep.check.perceptual_hash import SIDE
from verydeep.errors import DataError
from verydeep.image_sources.image_source import UnreadableImage
from verydeep.image_sources.samples import Samples

MAX_UNREADABLE = 0.05
"""The fraction of unreadable images above which training is an error."""

Progress = Callable[[int, int], None]
"""Called with the number of images done and the number of all images."""


@dataclass(frozen=True)
class Sizes:
    """Width and height in px of readable images, compared by area."""

    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The result of a data check. All indices are those of ``samples``."""

    samples: Samples
    images: tuple[ImageFacts | UnreadableImage, ...]
    """One per sample."""
    duplicates: Duplicates
    proposal: GroupProposal | None
    """Groups suggested by the file names; None if there are groups already, or the names suggest none."""

    @property
    def readable(self) -> dict[int, ImageFacts]:
        """The images that can be decoded, by index."""
        return {index: each for index, each in enumerate(self.images) if isinstance(each, ImageFacts)}

    @property
    def unreadable(self) -> dict[int, UnreadableImage]:
        """The images that cannot be decoded, by index."""
        return {index: each for index, each in enumerate(self.images) if isinstance(each, UnreadableImage)}

    @property
    def sizes(self) -> Sizes | None:
        """None if no image can be read."""
        sizes = sorted(((one.width, one.height) for one in self.readable.values()), key=lambda s: s[0] * s[1])
        return Sizes(sizes[0], sizes[len(sizes) // 2], sizes[-1]) if sizes else None

    @property
    def kinds(self) -> dict[str, int]:
        """The number of gray, color, 16-bit, ... images, most common first, then rotated and animated."""
        readable = self.readable.values()
        rotated, animated = sum(one.is_rotated for one in readable), sum(one.is_animated for one in readable)
        extra = {"rotated by EXIF": rotated, "animated": animated}
        kinds = dict(Counter(one.kind for one in readable).most_common())
        return kinds | {name: count for name, count in extra.items() if count}


def check_images(
    samples: Samples,
    *,
    min_similarity: float = MIN_SIMILARITY,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> CheckResult:
    """Decode every image of ``samples``, and compare it with every other.

    Args:
        samples: your own images, as ``read_samples`` returns them.
        min_similarity: the similarity from which two images are near duplicates, from 0.5 to 1.
        workers: decoding threads; the number of usable cores by default.
        progress: called after every image.

    Raises:
        DataError: if ``min_similarity`` is out of range.
    """
    if not 0.5 <= min_similarity <= 1:
        raise DataError(f"the minimum similarity is {min_similarity}; expected 0.5 to 1, such as 0.92")
    images: list[ImageFacts | UnreadableImage] = []
    for each in examine_all(samples.sources, workers=workers):
        images.append(each)
        progress(len(images), len(samples))
    return CheckResult(
        samples=samples,
        images=tuple(images),
        duplicates=_duplicates(images, min_similarity),
        proposal=None if samples.groups else propose_groups(samples.names, len(samples.classes)),
    )


def _duplicates(images: Sequence[ImageFacts | UnreadableImage], min_similarity: float) -> Duplicates:
    """The duplicates among the readable images, with indices into all ``images``."""
    indices, readable = [], []
    for index, each in enumerate(images):
        if isinstance(each, ImageFacts):
            indices.append(index)
            readable.append(each)
    thumbnails = np.array([one.thumbnail for one in readable], np.uint8).reshape(-1, SIDE, SIDE, 3)
    digests = tuple(one.digest for one in readable)
    duplicates = find_duplicates(digests, thumbnails, min_similarity=min_similarity)
    return Duplicates(
        tuple(
            replace(pair, first=indices[pair.first], second=indices[pair.second]) for pair in duplicates.pairs
        ),
        tuple(tuple(indices[i] for i in cluster) for cluster in duplicates.clusters),
    )


def check_unreadable(
    count: int, unreadable: Sequence[UnreadableImage], location: str | Path = "FOLDER"
) -> str:
    """A message about the unreadable images that training skips; empty if there are none.

    Args:
        count: the number of all images.
        unreadable: the unreadable ones among them.
        location: where the images are, for the suggested command.

    Raises:
        DataError: if more than 5 % are unreadable, which is more than a few corrupt files.
    """
    if not unreadable:
        return ""
    reasons = "; ".join(each.reason for each in unreadable[:3]) + ("; ..." if len(unreadable) > 3 else "")
    message = f"{len(unreadable):,} of {count:,} images cannot be read"
    next_step = f"`verydeep data check {location}` lists all"
    if len(unreadable) > MAX_UNREADABLE * count:
        raise DataError(
            f"{message}, more than {MAX_UNREADABLE:.0%}: {reasons}. Repair or remove them; {next_step}"
        )
    return f"{message} and are left out: {reasons}. {next_step}"


def labels_of(samples: Samples, indices: Sequence[int]) -> tuple[str, ...]:
    """The classes of the images at ``indices``, each once, in order."""
    labels = samples.labels[list(indices)].tolist()
    return tuple(samples.classes[label] for label in sorted(set(labels)))
