"""Labeled images on disk, with their classes, groups and parts of a split."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Int64

from verydeep.errors import DataError
from verydeep.foreign_text import utf8_text, valid_text
from verydeep.image_sources.image_source import ImageSource
from verydeep.image_sources.labels import is_missing
from verydeep.image_sources.part_names import Part
from verydeep.image_sources.reading import Reading
from verydeep.rows import Rows

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Labeled images on disk. All columns have one item per image, in the same order.

    Raises:
        DataError: if they differ in length, or a label is not an index of a class.
    """

    name: str
    """The name of the data set, such as that of its folder."""
    sources: Sequence[ImageSource]
    names: Sequence[str]
    """The name of each image, such as its path below the folder. Names are unique."""
    labels: Int64[np.ndarray, " count"]
    """Indices into ``classes``."""
    classes: tuple[str, ...]
    parts: tuple[Part | None, ...]
    """The part of each image, if folders or a column define a split; else None."""
    groups: tuple[str, ...] | None = None
    """The group of each image. A group is never divided by a split, which prevents data leakage."""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The other columns of a list."""
    reading: Reading = field(default_factory=Reading)
    """What was passed over, and how the images were understood."""

    def __post_init__(self) -> None:
        # Checkpoints and reports are UTF-8, and a folder's name need not be.
        object.__setattr__(self, "name", valid_text(self.name))
        object.__setattr__(self, "classes", tuple(map(valid_text, self.classes)))
        if not isinstance(self.names, Rows):
            object.__setattr__(self, "names", tuple(map(utf8_text, self.names)))  # the same in every locale
        lengths = {len(self.labels), len(self.sources), len(self.names), len(self.parts)}
        lengths |= {len(values) for values in self.columns.values()}
        lengths |= set() if self.groups is None else {len(self.groups)}
        if len(lengths) > 1:
            raise DataError(
                f"{self.name}: labels, sources, names, parts, groups and columns differ in length: "
                f"{sorted(lengths)}"
            )
        if len(self) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise DataError(f"{self.name}: expected labels of 0 to {len(self.classes) - 1}, class indices")

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: Int64[Any, " chosen"]) -> "Samples":
        """The images at ``indices``, an array or a tensor, in that order."""
        chosen = np.asarray(indices)
        return replace(
            self,
            sources=_pick_rows(self.sources, chosen),
            names=_pick_rows(self.names, chosen),
            labels=self.labels[chosen],
            parts=_pick(self.parts, chosen),
            groups=None if self.groups is None else _pick(self.groups, chosen),
            columns={name: _pick(values, chosen) for name, values in self.columns.items()},
        )

    def of_parts(self, *parts: Part | None) -> Int64[np.ndarray, " chosen"]:
        """The indices of the images in any of ``parts``, in order."""
        return np.fromiter((i for i, part in enumerate(self.parts) if part in parts), dtype=np.int64)

    @property
    def class_sizes(self) -> dict[str, int]:
        """The number of images of each class."""
        counts = np.bincount(self.labels, minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, counts, strict=True))


def _pick(values: tuple[T, ...], chosen: Int64[np.ndarray, " chosen"]) -> tuple[T, ...]:
    return tuple(values[i] for i in chosen)


def _pick_rows(values: Sequence[T], chosen: Int64[np.ndarray, " chosen"]) -> Sequence[T]:
    return values.select(chosen) if isinstance(values, Rows) else _pick(tuple(values), chosen)


def grouped(samples: Samples, by: str) -> Samples:
    r"""``samples`` with groups: the values of the column ``by``, or the matches of a pattern in the names.

    A pattern is a regular expression that is searched in each image's name (its path below the folder). The
    group is the match of its first parentheses, or the whole match if it has none. ``BloodImage_\d+`` groups
    all cells of one photograph.

    Raises:
        DataError: if ``by`` is neither a column nor a pattern, the column has missing values, or the pattern
            does not match a name.
    """
    if by in samples.columns:
        _require_filled(samples, by)
        return replace(samples, groups=samples.columns[by])
    try:
        pattern = re.compile(by)
    except re.error as error:
        known = f" or one of the columns {', '.join(samples.columns)}" if samples.columns else ""
        raise DataError(
            f"{by!r} is not a regular expression ({error}){known}; expected for example 'photo_[0-9]+'"
        ) from None
    return replace(samples, groups=tuple(_group(pattern, name, samples.columns) for name in samples.names))


def _require_filled(samples: Samples, column: str) -> None:
    cells = zip(samples.names, samples.columns[column], strict=True)
    without = [name for name, cell in cells if is_missing(cell.strip())]
    if without:
        raise DataError(
            f"the column {column!r} is empty for {len(without):,} of the {len(samples):,} images of "
            f"{samples.name}, such as {without[0]!r}; every image needs a group. Fill in the column: an "
            "image that belongs to no other gets a value of its own"
        )


def _group(pattern: re.Pattern[str], name: str, columns: Iterable[str]) -> str:
    match = pattern.search(name)
    if not match or not match[0]:
        known = ", ".join(columns)
        raise DataError(
            f"the pattern '{pattern.pattern}' does not match {name!r}; every image needs a group"
            + (f". The columns to group by are {known}" if known else "")
        )
    return match[1] if pattern.groups and match[1] else match[0]
