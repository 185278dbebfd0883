"""Reads a WebDataset: images and labels in tar shards, indexed once and then read with random access.

A sample is all members with the same name up to the first dot: ``00042.jpg`` with ``00042.cls`` (a number or
a class name), ``00042.json`` (a label under one of the usual names; its other values are columns) or
``00042.txt``. The format is documented at https://github.com/webdataset/webdataset.
"""

import json
import os
import posixpath
import re
import sys
import tarfile
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from verydeep.errors import DataError
from verydeep.foreign_text import utf8_text
from verydeep.image_sources.listing import LABEL_COLUMNS, Columns, Listing, cell_text, find_column
from verydeep.image_sources.part_names import Part, part_mentioned
from verydeep.image_sources.reading import Reading
from verydeep.image_sources.suffixes import COMMON_SUFFIXES, IMAGE_SUFFIXES
from verydeep.image_sources.texts import Texts
from verydeep.rows import Rows, computed

LABEL_SUFFIXES = frozenset({"cls", "json", "txt"})
"""The suffixes of members that may contain the label."""

MAX_SHARDS = 100_000
"""Of one data set: a hundred million images, at a thousand in a shard."""

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True)
class TarMember:
    """An image in a shard, read from its offset."""

    shard: Path
    member: str
    offset: int
    """Of its first byte in the shard."""
    size: int

    def read(self) -> bytes:
        """The content of the image file."""
        with self.shard.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)

    def __str__(self) -> str:
        return f"{self.shard}/{self.member}"


@dataclass(frozen=True)
class _ShardSample:
    image: TarMember
    label: str | None
    columns: dict[str, str]


def expand_range(pattern: str) -> list[Path]:
    """The paths of a brace range: ``train-{000..012}.tar`` as thirteen paths.

    Raises:
        DataError: where there are more than any data set has, before they are written out.
    """
    pieces = _RANGE.split(pattern)  # text, first, last, text, first, last, text
    bounds = zip(pieces[1::3], pieces[2::3], strict=True)
    # By their digits first: Python refuses to convert text of more than 4,300 digits.
    is_long = any(len(number.lstrip("0")) > len(str(MAX_SHARDS)) for number in (*pieces[1::3], *pieces[2::3]))
    if is_long or prod(max(0, int(last) - int(first) + 1) for first, last in bounds) > MAX_SHARDS:
        raise DataError(
            f"{pattern} is a range of more than {MAX_SHARDS:,} shards; give the range that exists"
        )
    texts = pieces[::3]
    ranges = [
        [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
        for first, last in zip(pieces[1::3], pieces[2::3], strict=True)
    ]
    return [
        Path(texts[0] + "".join(number + text for number, text in zip(numbers, texts[1:], strict=True)))
        for numbers in product(*ranges)
    ]


def read_webdataset(name: str, shards: list[Path], columns: Columns) -> Listing:
    """Every image in ``shards``, in order.

    The part is found in the name of a shard, or in that of its folder where not all shards are in it.

    Raises:
        DataError: if a shard does not exist, is not a tar file, or is compressed or truncated, or there are
            no images.
    """
    index, labels = _ShardIndex(shards), list[str | None]()
    others: dict[str, list[str]] | None = None
    without = 0
    for number, shard in enumerate(shards):
        for sample in _samples(shard, columns):
            if sample is None:
                without += 1
                continue
            index.append(number, sample.image)
            labels.append(sample.label if sample.label is None else sys.intern(sample.label))
            others = _with_row(others, sample.columns)
    if not len(index):
        raise DataError(
            f"{name}: {len(shards)} shards have no images; expected files such as {COMMON_SUFFIXES}"
        )
    top = _top(shards)
    parts = [_part(shard, top) for shard in shards]
    return Listing(
        name=name,
        sources=index.members(),
        names=index.names(),
        labels=tuple(labels),
        parts=tuple(parts[number] for number in index.shard_numbers),
        columns={column: tuple(values) for column, values in sorted((others or {}).items())},
        unnamed_splits=tuple(shard.name for shard, part in zip(shards, parts, strict=True) if not part)
        if any(parts)
        else (),
        reading=Reading({"without an image": without} if without else {}),
    )


def _with_row(columns: dict[str, list[str]] | None, row: Mapping[str, str]) -> dict[str, list[str]]:
    """``columns`` with the values of ``row``; only columns that every row has are kept."""
    if columns is None:
        return {name: [value] for name, value in row.items()}
    for name in columns.keys() - row.keys():
        del columns[name]
    for name, values in columns.items():
        values.append(row[name])
    return columns


class _ShardIndex:
    """Where the images of shards are, in a few bytes more than their names take."""

    def __init__(self, shards: Sequence[Path]) -> None:
        self.shards = shards
        self.shard_numbers, self.offsets, self.sizes = array("I"), array("Q"), array("Q")
        self.texts = Texts()

    def append(self, shard_number: int, image: TarMember) -> None:
        """Add an image of the shard with this number."""
        self.shard_numbers.append(shard_number)
        self.offsets.append(image.offset)
        self.sizes.append(image.size)
        self.texts.append(image.member)

    def __len__(self) -> int:
        return len(self.texts)

    def members(self) -> Rows[TarMember]:
        """The images."""
        return computed(self._member, len(self))

    def names(self) -> Rows[str]:
        """Their paths below the folder of all shards, such as ``train.tar/1.png``."""
        top = _top(self.shards)
        shards = [Path(os.path.relpath(shard, top)).as_posix() for shard in self.shards]

        def name(index: int) -> str:
            return utf8_text(posixpath.normpath(f"{shards[self.shard_numbers[index]]}/{self.texts[index]}"))

        return computed(name, len(self))

    def _member(self, index: int) -> TarMember:
        shard = self.shards[self.shard_numbers[index]]
        return TarMember(shard, self.texts[index], self.offsets[index], self.sizes[index])


def _top(shards: Sequence[Path]) -> Path:
    """The folder of all shards."""
    return Path(os.path.commonpath([shard.parent for shard in shards]))


def _part(shard: Path, top: Path) -> Part | None:
    by_folder = None if shard.parent == top else part_mentioned(shard.parent.name)  # ~/dev tells none apart
    return part_mentioned(shard.name) or by_folder


def _samples(shard: Path, columns: Columns) -> list[_ShardSample | None]:
    """The samples of a shard in order; None for one without an image."""
    samples: list[_ShardSample | None] = []
    for members in _members(shard).values():
        image = next((members[suffix] for suffix in members if f".{suffix}" in IMAGE_SUFFIXES), None)
        if image is None:
            samples.append(None)
            continue
        texts = {suffix: _text(members[suffix]) for suffix in members if suffix in LABEL_SUFFIXES}
        samples.append(_ShardSample(image, *_label(texts, image, columns)))
    return samples


def _members(shard: Path) -> dict[str, dict[str, TarMember]]:
    """The members of each sample, by the suffix after the first dot."""
    samples: dict[str, dict[str, TarMember]] = defaultdict(dict)
    try:
        with tarfile.open(shard, "r:") as archive:
            for info in archive:
                folder, _, file = info.name.rpartition("/")
                stem, _, suffix = file.partition(".")
                if info.isfile() and stem:
                    member = TarMember(shard, info.name, info.offset_data, info.size)
                    samples[f"{folder}/{stem}"][suffix.lower()] = member
    except FileNotFoundError:
        raise DataError(f"the shard {shard} does not exist") from None
    except (tarfile.TarError, OSError) as error:
        raise DataError(
            f"{shard} is not a complete tar file: {error}. Shards must not be compressed, because images are "
            "read with random access"
        ) from None
    return samples


def _text(member: TarMember) -> str:
    return member.read().decode("utf-8", errors="replace").strip()


def _label(texts: dict[str, str], image: TarMember, columns: Columns) -> tuple[str | None, dict[str, str]]:
    """The label, and the other values of the JSON member."""
    if "json" not in texts:
        return texts.get("cls") or texts.get("txt"), {}
    values = _json_object(texts["json"], image)
    key = find_column(list(values), LABEL_COLUMNS, columns.label, f"the JSON of {image}")
    json_label = cell_text(values[key]) if key else ""
    others = {
        name: cell_text(value)
        for name, value in values.items()
        if name != key and isinstance(value, str | int | float)
    }
    label = json_label if columns.label else texts.get("cls") or json_label
    return label or texts.get("txt") or None, others


def _json_object(text: str, image: TarMember) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the JSON of {image} is not an object: {error}") from None
    if not isinstance(values, dict):
        raise DataError(
            f'the JSON of {image} is not an object; expected one with a label, such as {{"label": "cat"}}'
        )
    return values
