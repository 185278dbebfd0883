"""A WebDataset: images and labels in tar shards, each indexed once and then read at any place.

A sample is the members that have one name up to its first dot: ``00042.jpg`` with ``00042.cls`` (a number or
a name), ``00042.json`` (a label under one of the usual words; its other values are columns) or ``00042.txt``.
The format is its authors' own: https://github.com/webdataset/webdataset.
"""

import json
import os
import re
import tarfile
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from verydeep.data.decode import IMAGE_SUFFIXES
from verydeep.data.folder import PART_NAMES
from verydeep.data.listing import LABEL_WORDS, Columns, Listing, as_text, find_column
from verydeep.data.samples import Part
from verydeep.errors import DataError

TEXTS = frozenset({"cls", "json", "txt"})
"""Kinds of members that may say the label."""

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True)
class TarMember:
    """An image in a shard, read without what lies before it."""

    shard: Path
    member: str
    offset: int
    """Of its first byte in the shard."""
    size: int

    def read(self) -> bytes:
        """What a file of its own would hold."""
        with self.shard.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)

    def __str__(self) -> str:
        return f"{self.shard}/{self.member}"


@dataclass(frozen=True)
class _Sample:
    shard: Path
    image: TarMember
    label: str | None
    others: dict[str, str]


def expand(pattern: str) -> list[Path]:
    """``train-{000..012}.tar`` as the thirteen paths it stands for."""
    pieces = _RANGE.split(pattern)  # text, first, last, text, first, last, text
    texts = pieces[::3]
    ranges = [
        [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
        for first, last in zip(pieces[1::3], pieces[2::3], strict=True)
    ]
    return [
        Path(texts[0] + "".join(number + text for number, text in zip(numbers, texts[1:], strict=True)))
        for numbers in product(*ranges)
    ]


def read_shards(name: str, shards: list[Path], asked: Columns) -> Listing:
    """Every image in ``shards``, in order. A part is known by the word in a shard's name or folder.

    Raises:
        DataError: where a shard is not there, is no tar, is compressed or cut off, or none holds an image.
    """
    samples = [sample for shard in shards for sample in _samples(shard, asked)]
    if not samples:
        raise DataError(
            f"{name}: {len(shards)} shards hold no images; looked for {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    columns = set.intersection(*(set(sample.others) for sample in samples))
    parts = {shard: _part(shard) for shard in shards}
    top = os.path.commonpath([shard.parent for shard in shards])
    return Listing(
        name=name,
        sources=tuple(sample.image for sample in samples),
        names=tuple(Path(os.path.relpath(str(sample.image), top)).as_posix() for sample in samples),
        labels=tuple(sample.label for sample in samples),
        parts=tuple(parts[sample.shard] for sample in samples),
        columns={column: tuple(sample.others[column] for sample in samples) for column in sorted(columns)},
    )


def _part(shard: Path) -> Part | None:
    for text in (shard.name, shard.parent.name):
        found = {PART_NAMES[word] for word in re.split(r"[^a-z]+", text.lower()) if word in PART_NAMES}
        if len(found) == 1:
            return found.pop()
    return None


def _samples(shard: Path, asked: Columns) -> list[_Sample]:
    samples = []
    for members in _members(shard).values():
        image = next((members[kind] for kind in members if f".{kind}" in IMAGE_SUFFIXES), None)
        if image is not None:
            texts = {kind: _text(members[kind]) for kind in members if kind in TEXTS}
            samples.append(_Sample(shard, image, *_label(texts, image, asked)))
    return samples


def _members(shard: Path) -> dict[str, dict[str, TarMember]]:
    """What each name up to its first dot has, by what follows the dot."""
    found: dict[str, dict[str, TarMember]] = defaultdict(dict)
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                folder, _, file = member.name.rpartition("/")
                stem, _, kind = file.partition(".")
                if member.isfile() and stem:
                    place = TarMember(shard, member.name, member.offset_data, member.size)
                    found[f"{folder}/{stem}"][kind.lower()] = place
    except FileNotFoundError:
        raise DataError(f"there is no shard {shard}") from None
    except (tarfile.TarError, OSError) as error:
        raise DataError(
            f"{shard} is no whole tar: {error}. Shards are read at any place, and so must not be compressed"
        ) from None
    return found


def _text(member: TarMember) -> str:
    return member.read().decode("utf-8", errors="replace").strip()


def _label(texts: dict[str, str], image: TarMember, asked: Columns) -> tuple[str | None, dict[str, str]]:
    """The label, and what else the JSON says."""
    if "json" not in texts:
        return texts.get("cls") or texts.get("txt"), {}
    try:
        values: dict[str, Any] = dict(json.loads(texts["json"]))
    except (ValueError, TypeError) as error:
        raise DataError(f"the JSON beside {image} is no object: {error}") from None
    key = find_column(list(values), LABEL_WORDS, asked.label, f"the JSON beside {image}")
    said = as_text(values[key]) if key else ""
    others = {
        name: as_text(value)
        for name, value in values.items()
        if name != key and isinstance(value, str | int | float)
    }
    in_json_first = said if asked.label else texts.get("cls") or said
    return in_json_first or texts.get("txt") or None, others
