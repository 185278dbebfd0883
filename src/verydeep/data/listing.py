"""The images of a list, shards or a Hugging Face data set, with their labels still as text."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from verydeep.data.folder import PART_NAMES
from verydeep.data.samples import ImageSource, Part, Samples
from verydeep.errors import DataError

FILE_COLUMNS = (
    "path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img",
)  # fmt: skip
LABEL_COLUMNS = ("label", "class", "category", "target", "labels", "class_name", "label_name")
PART_COLUMNS = ("split", "part", "set", "subset", "partition")


@dataclass(frozen=True)
class Columns:
    """The names of the image and label columns, if they are not among the usual names."""

    file: str | None = None
    label: str | None = None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Images with their labels and other columns; all tuples have one item per image, in the same order."""

    name: str
    sources: tuple[ImageSource, ...]
    names: tuple[str, ...]
    labels: tuple[str | None, ...]
    """None for an image without a label, which can be classified but not trained on."""
    parts: tuple[Part | None, ...]
    positions: tuple[str, ...] = ()
    """The position of each image for error messages, such as "line 7"; its name by default."""
    classes: tuple[str, ...] = ()
    """The class names in order, if the data set defines it; sorted labels by default."""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def to_samples(listing: Listing) -> Samples:
    """``listing`` as samples. Integer labels are sorted by number, others as text.

    Raises:
        DataError: if an image has no label, or two images have the same name.
    """
    positions = listing.positions or listing.names
    position_of: dict[str, str] = {}
    for position, name, label in zip(positions, listing.names, listing.labels, strict=True):
        if label is None:
            raise DataError(
                f"{listing.name}: {position} has no label; label every image to train or evaluate"
            )
        if name in position_of:
            raise DataError(f"{listing.name}: {position} repeats {name} from {position_of[name]}")
        position_of[name] = position
    classes = listing.classes or sorted_classes({label for label in listing.labels if label is not None})
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


def sorted_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """Class names sorted by number (2 before 10) if all are integers, else as text."""
    names = sorted(labels)
    return tuple(sorted(names, key=int) if all(map(_is_integer, names)) else names)


def _is_integer(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()


def cell_text(value: object) -> str:
    """A cell as text: 3.0 is "3", since tables store integers as floats; a missing value is empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def find_column(
    columns: Sequence[str], usual_names: tuple[str, ...], chosen: str | None, name: str
) -> str | None:
    """The ``chosen`` column, else the first of ``usual_names`` that is in ``columns``, else None.

    Raises:
        DataError: if the chosen column does not exist.
    """
    if chosen is not None:
        if chosen not in columns:
            raise DataError(f"{name} has no column {chosen!r}; it has {', '.join(columns)}")
        return chosen
    known = {column.strip().lower().replace(" ", "_").replace("-", "_"): column for column in columns}
    return next((known[each] for each in usual_names if each in known), None)


def parse_part(text: str, position: str) -> Part | None:
    """The part of the split (train, val, test) for a cell's text; None for an empty cell.

    Raises:
        DataError: if the text is not one of the usual names.
    """
    if not text:
        return None
    if text.lower() not in PART_NAMES:
        raise DataError(
            f"{position} has the part {text!r}; expected one of {', '.join(PART_NAMES)}. If the column is "
            f"not a train/val/test split, rename it to something else than {', '.join(PART_COLUMNS)}"
        )
    return PART_NAMES[text.lower()]
