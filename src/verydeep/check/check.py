"""The doctor of data: looks at every image of a set, and says what is wrong with it in plain words."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from verydeep.check.duplicates import LEAST_SIMILARITY, Duplicates, find_duplicates
from verydeep.check.examine import Damaged, ImageFacts, examine_all
from verydeep.check.group_names import GroupProposal, propose_groups
from verydeep.check.perceptual_hash import SIDE
from verydeep.data.samples import Samples
from verydeep.data.stream import Broken
from verydeep.errors import DataError

MOST_DAMAGED = 0.05
"""The share of damaged images from which training refuses."""

Progress = Callable[[int, int], None]
"""Called with the images done and the images in all."""


@dataclass(frozen=True)
class Sizes:
    """Of the images that can be read, by area; width and height in px."""

    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """What was seen of a set. All tuples of places count in ``samples``."""

    samples: Samples
    seen: tuple[ImageFacts | Damaged, ...]
    """Of each image."""
    duplicates: Duplicates
    proposal: GroupProposal | None
    """Groups that the names show; None where groups are given, or none show."""

    @property
    def readable(self) -> dict[int, ImageFacts]:
        """Images that could be decoded, by their places."""
        return {place: each for place, each in enumerate(self.seen) if isinstance(each, ImageFacts)}

    @property
    def damaged(self) -> dict[int, Damaged]:
        """Images that could not."""
        return {place: each for place, each in enumerate(self.seen) if isinstance(each, Damaged)}

    @property
    def sizes(self) -> Sizes | None:
        """None where nothing can be read."""
        sizes = sorted(((one.width, one.height) for one in self.readable.values()), key=lambda s: s[0] * s[1])
        return Sizes(sizes[0], sizes[len(sizes) // 2], sizes[-1]) if sizes else None

    @property
    def kinds(self) -> dict[str, int]:
        """How many images are gray, color, 16-bit, ..., the commonest first; then how many are turned."""
        seen = self.readable.values()
        turned, animated = sum(one.is_turned for one in seen), sum(one.is_animated for one in seen)
        extra = {"turned by EXIF": turned, "animated": animated}
        kinds = dict(Counter(one.kind for one in seen).most_common())
        return kinds | {name: count for name, count in extra.items() if count}


def check(
    samples: Samples,
    *,
    least_similarity: float = LEAST_SIMILARITY,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Checkup:
    """Every image of ``samples`` decoded, and compared with every other.

    Args:
        samples: images of one's own, as ``read_samples`` gives them.
        least_similarity: from which two images count as the same, above 0 and up to 1.
        workers: threads that decode; the number of processors by default.
        progress: called as images are done.

    Raises:
        DataError: where ``least_similarity`` is out of range.
    """
    if not 0.5 <= least_similarity <= 1:
        raise DataError(f"the least similarity is {least_similarity}; expected 0.5 to 1, such as 0.92")
    seen: list[ImageFacts | Damaged] = []
    for each in examine_all(samples.sources, workers=workers):
        seen.append(each)
        progress(len(seen), len(samples))
    return Checkup(
        samples=samples,
        seen=tuple(seen),
        duplicates=_duplicates(seen, least_similarity),
        proposal=None if samples.groups else propose_groups(samples.names, len(samples.classes)),
    )


def _duplicates(seen: Sequence[ImageFacts | Damaged], least: float) -> Duplicates:
    """With the places that images have among ``seen``, the damaged among them."""
    places, readable = [], []
    for place, each in enumerate(seen):
        if isinstance(each, ImageFacts):
            places.append(place)
            readable.append(each)
    looks = np.array([one.thumbnail for one in readable], np.uint8).reshape(-1, SIDE, SIDE, 3)
    found = find_duplicates(tuple(one.digest for one in readable), looks, least=least)
    return Duplicates(
        tuple(replace(pair, first=places[pair.first], second=places[pair.second]) for pair in found.pairs),
        tuple(tuple(places[place] for place in cluster) for cluster in found.clusters),
    )


def quick_check(count: int, broken: Sequence[Broken], place: str | Path = "FOLDER") -> str:
    """What to say of the damaged images that training passed over: one sentence, none where there are none.

    Args:
        count: images that were to be read.
        broken: those that could not be, as ``stream`` gives them.
        place: where they come from, for the command that shows all.

    Raises:
        DataError: where more than 5 % are damaged: then something else is wrong than a file or two.
    """
    if not broken:
        return ""
    named = "; ".join(each.why for each in broken[:3]) + ("; ..." if len(broken) > 3 else "")
    said = f"{len(broken):,} of {count:,} images are damaged"
    look = f"`verydeep data check {place}` lists all"
    if len(broken) > MOST_DAMAGED * count:
        raise DataError(f"{said}, more than {MOST_DAMAGED:.0%}: {named}. Mend or remove them; {look}")
    return f"{said} and left out: {named}. {look}"


def labels_of(samples: Samples, places: Sequence[int]) -> tuple[str, ...]:
    """The classes of the images at ``places``, each once, in order."""
    labels = samples.labels[torch.tensor(list(places), dtype=torch.int64)].tolist()
    return tuple(samples.classes[label] for label in sorted(set(labels)))
