"""The train/val/test split of a data set, saved in a file so that it can be used again.

``split.csv`` is in the run folder and has the columns name, label, group and part, one row per image; that of
`verydeep tune` also has a hash of the content of each image file, which recognizes it under another name.
"""

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from verydeep.atomic_write import atomic_write
from verydeep.csv_text import KEEP_BYTES, csv_line, from_csv_cell
from verydeep.errors import DataError
from verydeep.image_sources.part_names import Part
from verydeep.image_sources.samples import Samples

SPLIT_FILE = "split.csv"
"""The file name in a run folder."""
HEADER = ["name", "label", "group", "part"]
CONTENT = "content"


@dataclass(frozen=True)
class SavedImage:
    """One image of a saved split."""

    name: str
    label: str
    part: Part
    content: str
    """A hash of its file, in hexadecimal; empty where none was saved."""


def write_split(samples: Samples, path: Path, content: Sequence[bytes] | None = None) -> None:
    """Save the part of each image of ``samples``, with a hash of its file where that is given."""
    groups = samples.groups or ("",) * len(samples)
    labels = [samples.classes[label] for label in samples.labels.tolist()]
    with (
        atomic_write(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors=KEEP_BYTES) as file,
    ):
        columns = [samples.names, labels, groups, samples.parts]
        header = HEADER
        if content is not None:
            columns, header = [*columns, [each.hex() for each in content]], [*HEADER, CONTENT]
        file.writelines(map(csv_line, chain([header], zip(*columns, strict=True))))


def keep_split(samples: Samples, path: Path, content: Sequence[bytes] | None = None) -> None:
    """Save the split of ``samples``; where one is saved already, it must be the same.

    Args:
        samples: with a part for each image.
        path: of the file.
        content: a hash of each image file, to be saved too.

    Raises:
        DataError: naming the first difference.
    """
    if path.exists():
        require_same_split(samples, path)
    else:
        write_split(samples, path, content)


def is_split(path: Path) -> bool:
    """Whether the file at ``path`` has the columns of a split; a folder may hold another ``split.csv``."""
    try:
        with path.open(newline="", encoding="utf-8", errors=KEEP_BYTES) as file:
            header = next(csv.reader(file), [])
    except (OSError, csv.Error):
        return False
    return header in (HEADER, [*HEADER, CONTENT])


def split_of_run(run: Path) -> Path | None:
    """The split of your own images that is kept with ``run``, a run folder or a file in it; None without one.

    Beside a file that is in no run folder, another ``split.csv`` may stand.
    """
    path = (run if run.is_dir() else run.parent) / SPLIT_FILE
    return path if path.exists() and (run.is_dir() or is_split(path)) else None


def read_split(path: Path) -> dict[str, Part]:
    """The part of each image by its name, as saved by ``write_split``.

    Raises:
        DataError: if the file does not exist or is not a split.
    """
    known = {str(part): part for part in get_args(Part)}
    return {row["name"]: known[row["part"]] for row in _rows(path)}


def read_saved_images(path: Path) -> tuple[SavedImage, ...]:
    """All images as saved by ``write_split``.

    Raises:
        DataError: if the file does not exist or is not a split.
    """
    known = {str(part): part for part in get_args(Part)}
    return tuple(
        SavedImage(row["name"], row["label"], known[row["part"]], row.get(CONTENT, "")) for row in _rows(path)
    )


def read_groups(path: Path) -> dict[str, str] | None:
    """The group of each image by its name, as saved by ``write_split``; None if it saved no groups.

    Raises:
        DataError: if the file does not exist or is not a split.
    """
    groups = {row["name"]: sys.intern(row["group"]) for row in _rows(path)}
    return groups if any(groups.values()) else None


def saves_content(path: Path) -> bool:
    """Whether the split at ``path`` has a hash of each image file.

    Raises:
        DataError: if the file does not exist or is not a split.
    """
    return any(CONTENT in row for row in islice(_rows(path), 1))


def _is_same_in_order(samples: Samples, path: Path) -> bool:
    """Whether the split at ``path`` has the images of ``samples`` in their order: no row of it is kept."""
    saved = ((row["name"], row["part"]) for row in _rows(path))
    now = zip(samples.names, samples.parts, strict=True)
    return all(before == after for before, after in zip_longest(saved, now))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of the split at ``path``, by their columns.

    Raises:
        DataError: if the file does not exist or is not a split.
    """
    refusal = f"{path} is not a split: expected the columns {', '.join(HEADER)}, part {get_args(Part)}"
    is_empty = True
    try:
        with path.open(newline="", encoding="utf-8", errors=KEEP_BYTES) as file:
            for cells in csv.DictReader(file):
                is_empty = False
                row = {column: from_csv_cell(cell) for column, cell in cells.items() if isinstance(cell, str)}
                if list(row) not in (HEADER, [*HEADER, CONTENT]) or row["part"] not in get_args(Part):
                    raise DataError(refusal)
                yield row
    except (OSError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    if is_empty:
        raise DataError(refusal)


WantedPart = Part | Literal["all"]


def with_saved_split(samples: Samples, path: Path) -> Samples:
    """The images of ``samples`` whose names are in the split at ``path``, with its parts and groups.

    They must be those of the split: other images may have the same names (``read_image_split``). Groups of
    ``samples`` are kept. If no name is in the split, ``samples`` are returned unchanged.

    Raises:
        DataError: if the file does not exist or is not a split.
    """
    parts, groups = read_split(path), read_groups(path)
    named = np.array([i for i, name in enumerate(samples.names) if name in parts], dtype=np.int64)
    if not len(named):
        return samples
    chosen = samples.select(named)
    if groups is not None and chosen.groups is None:
        chosen = replace(chosen, groups=tuple(groups[name] for name in chosen.names))
    return replace(chosen, parts=tuple(parts[name] for name in chosen.names))


def images_of_part(samples: Samples, wanted: WantedPart | None) -> tuple[Samples, WantedPart]:
    """The images of ``samples`` in the ``wanted`` part, and the name of that part.

    None means the test images if there are any, else all images.

    Raises:
        DataError: if there are no images in that part.
    """
    part = wanted or ("test" if "test" in samples.parts else "all")
    if part == "all":
        return samples, part
    if part not in samples.parts:
        existing = ", ".join(sorted({each for each in samples.parts if each})) or "no parts"
        raise DataError(f"{samples.name} has no part {part!r}; it has {existing}. Use 'all' for every image")
    return samples.select(samples.of_parts(part)), part


def require_same_split(samples: Samples, path: Path) -> None:
    """Refuse images that are not those of the split at ``path``, or are split otherwise.

    Raises:
        DataError: naming the first difference.
    """
    if _is_same_in_order(samples, path):
        return
    before = read_split(path)
    now = dict(zip(samples.names, samples.parts, strict=True))
    if different := sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)):
        raise DataError(
            f"the images of {samples.name} changed since {path} was written: {different[0]} was "
            f"{before.get(different[0], 'not there')} and is {now.get(different[0], 'gone')}. Start over "
            "with --new, or give another --out"
        )
