"""Which images an earlier run has seen: by name and content, then by content alone, then by name alone.

An image may have been renamed, moved to the folder of another class, or saved again since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from unicodedata import normalize

import numpy as np
from jaxtyping import Int64

from verydeep.data.split_file import SavedImage
from verydeep.image_sources.samples import Samples


@dataclass(frozen=True)
class Recognition:
    """What became of the images of an earlier run, and what came to them."""

    earlier: tuple[SavedImage | None, ...]
    """For each image now: which one it was; None for a new image."""
    gone: tuple[SavedImage, ...]
    """Images of the earlier run that are not there any more."""
    sides: Int64[np.ndarray, " count"]
    """0 for an image that was trained on, 1 for one that was tested on, -1 for a new one. A new copy of an
    image has the side of that image."""


def recognize(samples: Samples, content: Sequence[bytes], before: Sequence[SavedImage]) -> Recognition:
    """Find the images ``before`` among ``samples``, each once.

    Args:
        samples: the images now.
        content: the hash of each file.
        before: the images of the earlier run.
    """
    hashes = [each.hex() for each in content]
    found: dict[int, SavedImage] = {}
    left = {saved.name: saved for saved in before}

    def take(index: int, saved: SavedImage | None) -> None:
        if saved is not None and saved.name in left and index not in found:
            found[index] = left.pop(saved.name)

    for i, name in enumerate(samples.names):
        same = left.get(name)
        if same is not None and same.content in (hashes[i], ""):
            take(i, same)
    by_content = {saved.content: saved for saved in left.values() if saved.content}
    for i, each in enumerate(hashes):
        take(i, by_content.get(each))
    for i, name in enumerate(samples.names):
        take(i, left.get(name))
    # A run that saved no content: a file of the same name in another folder was probably moved there.
    by_file_name = {PurePosixPath(saved.name).name: saved for saved in left.values() if not saved.content}
    for i, name in enumerate(samples.names):
        take(i, by_file_name.get(PurePosixPath(name).name))
    earlier = tuple(found.get(i) for i in range(len(samples)))
    return Recognition(earlier, tuple(left.values()), _sides(hashes, earlier, before))


def _sides(
    hashes: Sequence[str], earlier: Sequence[SavedImage | None], before: Sequence[SavedImage]
) -> Int64[np.ndarray, " count"]:
    """Trained on, where any image of the same content was."""
    of_content: dict[str, int] = {}
    for saved in before:
        of_content[saved.content] = min(_side(saved), of_content.get(saved.content, 1))
    of_content.pop("", None)
    sides = []
    for each, same in zip(hashes, earlier, strict=True):
        known = [of_content[each]] if each in of_content else []
        known += [_side(same)] if same else []
        sides.append(min(known, default=-1))
    return np.array(sides, dtype=np.int64)


def _side(saved: SavedImage) -> int:
    return int(saved.part == "test")


def is_relabeled(saved: SavedImage, label: str) -> bool:
    """Whether the image now has the label of another class."""
    return normalize("NFC", saved.label) != normalize("NFC", label)
