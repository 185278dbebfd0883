"""Which images train and which test, for a whole set; kept in a file, so that both stay what they were.

``split.csv`` lies in the run folder and has the columns name, label, group and part, one row an image.
"""

import csv
from dataclasses import replace
from pathlib import Path
from typing import get_args

import torch
from jaxtyping import Int64
from torch import Tensor

from verydeep.data.files import replacing
from verydeep.data.samples import Part, Samples
from verydeep.data.split import grouped_split
from verydeep.errors import DataError

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
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(zip(samples.names, labels, groups, samples.parts, strict=True))


def read_split(path: Path) -> dict[str, Part]:
    """What each image is for, by its name, as ``write_split`` kept it.

    Raises:
        DataError: where the file is not there, or is none.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    if not rows or list(rows[0]) != HEADER or any(row["part"] not in get_args(Part) for row in rows):
        raise DataError(
            f"{path} is no split: expected the columns {', '.join(HEADER)}, part {get_args(Part)}"
        )
    known = {str(part): part for part in get_args(Part)}
    return {row["name"]: known[row["part"]] for row in rows}
