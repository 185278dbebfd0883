"""The usual names of the training, validation and test images, of folders, shards and values of a column."""

import re
from typing import Literal

Part = Literal["train", "val", "test"]
"""The part of a split: training, validation, or test images."""

PART_WORDS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "devel": "val",
    "development": "val",
    "test": "test",
    "testing": "test",
}
"""The words that name a part, in lower case."""

_FILLERS = frozenset(
    {
        "data", "dataset", "datasets", "folder", "image", "images", "img", "imgs", "photo", "photos",
        "picture", "pictures", "private", "public", "sample", "samples", "set", "sets", "split",
    }
)  # fmt: skip
"""Words that may stand beside it, as in ``training_set``, ``images-train`` and ``testset``."""


def part_named(text: str) -> Part | None:
    """The part that ``text`` names and nothing else, as ``training_set`` and ``val2017`` do."""
    words = _words(text)
    parts = [PART_WORDS[word] for word in words if word in PART_WORDS]
    others = [word for word in words if word not in PART_WORDS]
    return parts[0] if len(parts) == 1 and _FILLERS.issuperset(others) else None


def part_mentioned(text: str) -> Part | None:
    """The only part among the words of ``text``: ``seg_train``, ``cells-train-0000.tar``."""
    parts = {PART_WORDS[word] for word in _words(text) if word in PART_WORDS}
    return parts.pop() if len(parts) == 1 else None


def _words(text: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)  # PublicTest
    return [piece for word in re.findall("[a-z]+", spaced.lower()) for piece in _without_filler(word)]


def _without_filler(word: str) -> tuple[str, ...]:
    """``trainset`` as ``train`` and ``set``; any other word as it is."""
    for filler in _FILLERS:
        if word.endswith(filler) and word.removesuffix(filler) in PART_WORDS:
            return word.removesuffix(filler), filler
    return (word,)
