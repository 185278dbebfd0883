"""Labeled image files: what a folder, a list or shards of one's own images come to, still on disk."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol, TypeVar, runtime_checkable

from jaxtyping import Int64
from torch import Tensor

from verydeep.errors import DataError

T = TypeVar("T")

Part = Literal["train", "val", "test"]
"""What an image is for: to train on, to choose by, to be measured on once."""


@runtime_checkable
class ArchivedImage(Protocol):
    """An image inside a larger file, such as a shard; ``str`` of it is its place, for messages."""

    def read(self) -> bytes:
        """What a file of its own would hold."""


ImageSource = Path | ArchivedImage
"""What an image is read from."""


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Images on disk, with a label each. All tuples have one item an image, in the same order.

    Raises:
        DataError: where they differ in number, or a label names no class.
    """

    name: str
    """Of the whole, as its folder is called."""
    sources: tuple[ImageSource, ...]
    names: tuple[str, ...]
    """By which a person knows each image: its path below the folder. No two are the same."""
    labels: Int64[Tensor, " count"]
    """Indices into ``classes``."""
    classes: tuple[str, ...]
    parts: tuple[Part | None, ...]
    """What each is for, where the owner said so by folders or a column; None elsewhere."""
    groups: tuple[str, ...] | None = None
    """Images of one group are alike, and so stay on one side of a split."""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What else a list says of each image."""

    def __post_init__(self) -> None:
        lengths = {len(self.labels), len(self.sources), len(self.names), len(self.parts)}
        lengths |= {len(values) for values in self.columns.values()}
        lengths |= set() if self.groups is None else {len(self.groups)}
        if len(lengths) > 1:
            raise DataError(
                f"{self.name}: labels and what goes with them differ in number: {sorted(lengths)}"
            )
        if len(self) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise DataError(f"{self.name}: labels must be 0 to {len(self.classes) - 1}, indices of classes")

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: Int64[Tensor, " chosen"]) -> "Samples":
        """The images at ``indices``, in that order."""
        chosen = indices.tolist()
        return replace(
            self,
            sources=_pick(self.sources, chosen),
            names=_pick(self.names, chosen),
            labels=self.labels[indices],
            parts=_pick(self.parts, chosen),
            groups=None if self.groups is None else _pick(self.groups, chosen),
            columns={name: _pick(values, chosen) for name, values in self.columns.items()},
        )

    @property
    def class_sizes(self) -> dict[str, int]:
        """Images of each class."""
        counts = self.labels.bincount(minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, counts, strict=True))


def _pick(values: tuple[T, ...], chosen: list[int]) -> tuple[T, ...]:
    return tuple(values[i] for i in chosen)


def grouped(samples: Samples, by: str) -> Samples:
    r"""``samples`` with a group for each: of the column ``by``, or what a pattern finds in its name.

    A pattern is a regular expression, searched in each image's name (its path below the folder); its first
    bracket is the group, or all that it matches where it has none. ``BloodImage_\d+`` puts all cells of one
    photograph together.

    Raises:
        DataError: where ``by`` is neither, or finds nothing in a name.
    """
    if by in samples.columns:
        return replace(samples, groups=samples.columns[by])
    try:
        pattern = re.compile(by)
    except re.error as error:
        known = f" nor one of its columns {', '.join(samples.columns)}" if samples.columns else ""
        raise DataError(
            f"{by!r} is no regular expression ({error}){known}; try for example 'photo_[0-9]+'"
        ) from None
    return replace(samples, groups=tuple(_group(pattern, name, samples.columns) for name in samples.names))


def _group(pattern: re.Pattern[str], name: str, columns: Iterable[str]) -> str:
    found = pattern.search(name)
    if not found:
        known = ", ".join(columns)
        raise DataError(
            f"the pattern '{pattern.pattern}' finds nothing in {name!r}; every image needs a group"
            + (f". Columns to group by are {known}" if known else "")
        )
    return found[1] if pattern.groups and found[1] is not None else found[0]
