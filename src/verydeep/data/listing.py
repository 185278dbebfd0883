"""Images that a list, shards or a data set name: what all of those come to, with labels still as text."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from verydeep.data.folder import PART_NAMES
from verydeep.data.samples import ImageSource, Part, Samples
from verydeep.errors import DataError

FILE_WORDS = (
    "path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img",
)  # fmt: skip
LABEL_WORDS = ("label", "class", "category", "target", "labels", "class_name", "label_name")
PART_WORDS = ("split", "part", "set", "subset", "partition")


@dataclass(frozen=True)
class Columns:
    """What the columns of images and labels are called, where the usual words do not say it."""

    file: str | None = None
    label: str | None = None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Images that something names, with what it says of each; all have one item an image, in order."""

    name: str
    sources: tuple[ImageSource, ...]
    names: tuple[str, ...]
    labels: tuple[str | None, ...]
    """None where nothing is said: enough to predict, and not to learn from."""
    parts: tuple[Part | None, ...]
    places: tuple[str, ...] = ()
    """Where each stands, for messages, such as "line 7"; its name by default."""
    classes: tuple[str, ...] = ()
    """In their order, where it is known; that of the labels by default."""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def labeled(listing: Listing) -> Samples:
    """``listing`` as samples. Labels that are all whole numbers are in numeric order, others in that of text.

    Raises:
        DataError: where an image has no label, or two have one name.
    """
    places = listing.places or listing.names
    seen: dict[str, str] = {}
    for place, name, label in zip(places, listing.names, listing.labels, strict=True):
        if label is None:
            raise DataError(f"{listing.name}: {place} has no label; every image to learn from needs one")
        if name in seen:
            raise DataError(f"{listing.name}: {place} is {name}, which is {seen[name]} already")
        seen[name] = place
    classes = listing.classes or in_order({label for label in listing.labels if label is not None})
    numbers = {text: number for number, text in enumerate(classes)}
    return Samples(
        name=listing.name,
        sources=listing.sources,
        names=listing.names,
        labels=torch.tensor([numbers[label] for label in listing.labels if label is not None]).long(),
        classes=classes,
        parts=listing.parts,
        columns=listing.columns,
    )


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Names of classes: 2 before 10 where all are whole numbers, as text where one is not."""
    names = sorted(labels)
    return tuple(sorted(names, key=int) if all(map(_is_whole, names)) else names)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()


def as_text(value: object) -> str:
    """A cell as text: 3.0 is "3", which tables make of whole numbers; what is not there is empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def find_column(columns: Sequence[str], words: tuple[str, ...], asked: str | None, name: str) -> str | None:
    """The one of ``columns`` that was ``asked`` for, else the first of the ``words`` that is there.

    Raises:
        DataError: where the column that was asked for is not there.
    """
    if asked is not None:
        if asked not in columns:
            raise DataError(f"{name} has no column {asked!r}; it has {', '.join(columns)}")
        return asked
    known = {column.strip().lower().replace(" ", "_").replace("-", "_"): column for column in columns}
    return next((known[word] for word in words if word in known), None)


def part_of(text: str, place: str) -> Part | None:
    """What an image is for, by the word that is written beside it; None for an empty cell.

    Raises:
        DataError: where the word is none of those that people use.
    """
    if not text:
        return None
    if text.lower() not in PART_NAMES:
        raise DataError(
            f"{place} is of the part {text!r}; expected one of {', '.join(PART_NAMES)}, or another name for "
            f"a column that is no split (it is none of {', '.join(PART_WORDS)} then)"
        )
    return PART_NAMES[text.lower()]
