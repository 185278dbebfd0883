"""Which images train and which test, for a whole set; kept in a file, so that both stay what they were.

``split.csv`` lies in the run folder and has the columns name, label, group and part, one row an image.
"""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import torch
from jaxtyping import Int64
from torch import Tensor

from verydeep.atomic_write import atomic_write
from verydeep.data.samples import Part, Samples
from verydeep.data.split import grouped_split
from verydeep.errors import DataError

SPLIT_FILE = "split.csv"
"""Its name in a run folder."""
HEADER = ["name", "label", "group", "part"]


def with_test_part(samples: Samples, fraction: float, seed: int) -> Samples:
    """``samples`` with a part for each: where no test part is there, one is cut from those of no part.

    Raises:
        DataError: where no image can be spared, or all images are named for the test.
    """
    parts = list(samples.parts)
    free = torch.tensor([i for i, part in enumerate(parts) if part is None], dtype=torch.int64)
    held_back: set[int] = set()
    if "test" not in parts and len(free):
        rest = samples.select(free)
        held_back = set(free[grouped_split(rest.labels, rest.groups, fraction, seed)[1]].tolist())
    filled: list[Part] = [part or ("test" if i in held_back else "train") for i, part in enumerate(parts)]
    if "train" not in filled:
        raise DataError(f"{samples.name} has no images to train on; give a train folder beside test")
    return replace(samples, parts=tuple(filled))


def indices_of(samples: Samples, *parts: Part) -> Int64[Tensor, " chosen"]:
    """The places of the images that are for any of ``parts``, in order."""
    return torch.tensor([i for i, part in enumerate(samples.parts) if part in parts], dtype=torch.int64)


def write_split(samples: Samples, path: Path) -> None:
    """Keep what each image of ``samples`` is for."""
    groups = samples.groups or ("",) * len(samples)
    labels = [samples.classes[label] for label in samples.labels.tolist()]
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(zip(samples.names, labels, groups, samples.parts, strict=True))


def read_split(path: Path) -> dict[str, Part]:
    """What each image is for, by its name, as ``write_split`` kept it.

    Raises:
        DataError: where the file is not there, or is none.
    """
    known = {str(part): part for part in get_args(Part)}
    return {row["name"]: known[row["part"]] for row in _rows(path)}


def read_groups(path: Path) -> dict[str, str] | None:
    """The group of each image, by its name, as ``write_split`` kept it; None where it kept none.

    Raises:
        DataError: where the file is not there, or is none.
    """
    groups = {row["name"]: row["group"] for row in _rows(path)}
    return groups if any(groups.values()) else None


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    if not rows or list(rows[0]) != HEADER or any(row["part"] not in get_args(Part) for row in rows):
        raise DataError(
            f"{path} is no split: expected the columns {', '.join(HEADER)}, part {get_args(Part)}"
        )
    return rows


WantedPart = Part | Literal["all"]


def with_kept_split(samples: Samples, path: Path) -> Samples:
    """Those of ``samples`` that the split at ``path`` names, with the parts and groups that it keeps.

    Groups that ``samples`` have already stay. Where it names none of them, they are other images: nothing
    is changed.
    """
    parts, groups = read_split(path), read_groups(path)
    named = torch.tensor([i for i, name in enumerate(samples.names) if name in parts], dtype=torch.int64)
    if not len(named):
        return samples
    kept = samples.select(named)
    if groups is not None and kept.groups is None:
        kept = replace(kept, groups=tuple(groups[name] for name in kept.names))
    return replace(kept, parts=tuple(parts[name] for name in kept.names))


def images_of_part(samples: Samples, wanted: WantedPart | None) -> tuple[Samples, WantedPart]:
    """The images of ``samples`` for the ``wanted`` part, and which that is.

    None asks for the test part where there is one, and else for all.

    Raises:
        DataError: where no image is for that part.
    """
    part = wanted or ("test" if "test" in samples.parts else "all")
    if part == "all":
        return samples, part
    if part not in samples.parts:
        there = ", ".join(sorted({each for each in samples.parts if each})) or "none that is named"
        raise DataError(
            f"{samples.name} has no part {part!r}; it has {there}. With 'all', every image is taken"
        )
    return samples.select(indices_of(samples, part)), part
