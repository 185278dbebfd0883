"""The images of a list, shards or a Hugging Face data set, with their labels still as text."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from verydeep.errors import DataError
from verydeep.image_sources.image_source import ImageSource
from verydeep.image_sources.labels import is_missing
from verydeep.image_sources.part_names import PART_WORDS, Part, part_named
from verydeep.image_sources.reading import Reading

FILE_COLUMNS = (
    "path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img",
    "img_path", "image_name", "img_name", "image_id", "img_id", "id_code", "id",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "class", "category", "target", "labels", "class_name", "label_name", "diagnosis", "dx",
    "species", "breed",
)  # fmt: skip
PART_COLUMNS = ("split", "part", "set", "subset", "partition")


@dataclass(frozen=True)
class Columns:
    """The names of the image and label columns, if they are not among the usual names."""

    file: str | None = None
    label: str | None = None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Images with their labels and other columns; all columns have one item per image, in the same order."""

    name: str
    sources: Sequence[ImageSource]
    names: Sequence[str]
    labels: Sequence[str | None]
    """None for an image without a label, which can be classified but not trained on."""
    parts: tuple[Part | None, ...]
    positions: Sequence[str] = ()
    """The position of each image for error messages, such as "line 7"; its name by default."""
    location: str = ""
    """Of the list, for error messages; the name by default."""
    classes: tuple[str, ...] = ()
    """The class names in order, if the data set defines it; sorted labels by default."""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    label_advice: str = ""
    """What to do about missing labels, such as which columns there are; a sentence without a full stop."""
    unnamed_splits: tuple[str, ...] = ()
    """The splits or shards whose names are of no part, where the names of others are, or should be."""
    reading: Reading = field(default_factory=Reading)


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
    if is_missing(text):
        return None
    if (part := part_named(text)) is None:
        raise DataError(
            f"{position} has the part {text!r}; expected one of {', '.join(PART_WORDS)}. If the column is "
            f"not a train/val/test split, rename it to something else than {', '.join(PART_COLUMNS)}"
        )
    return part
