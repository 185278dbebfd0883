"""Opens a pack: its index is verified, whoever wrote it; pixels are verified when they are first read."""

import json
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import xxhash
from jaxtyping import Shaped

from verydeep.errors import DataError
from verydeep.foreign_text import one_line
from verydeep.packs.layout import HEADER, PARTS, PIXELS_START, RECORD, SUFFIX, Header, parse_header
from verydeep.packs.mapped_file import MappedFile
from verydeep.packs.pack import Pack

RECORDS_READ = 250_000
"""Records in memory at a time while they are verified."""
PIXEL_LIMIT = 100_000_000
"""Of an image, as for image files."""


def is_pack(location: Path) -> bool:
    """Whether ``location`` is a file with the name of a pack."""
    return location.suffix.lower() == SUFFIX and location.is_file()


def open_pack(path: Path) -> Pack:
    """The pack at ``path``, mapped into memory; the same one while the file does not change.

    Raises:
        DataError: where it is no complete pack, or damaged.
    """
    status = path.stat()
    return _open(path.resolve(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)
def _open(path: Path, size: int, modified_ns: int) -> Pack:
    name = one_line(str(path))
    with path.open("rb") as file:
        header = parse_header(file.read(HEADER.size), size, name)
        if not 0 < header.images < 2**32:
            raise DataError(f"{name} has {header.images:,} images; expected 1 to {2**32 - 1:,}")
        _verify_checksum(file, header, name)
        values = _json(file, header, name)
        columns = _columns(file, header, len(values.classes), len(values.groups), name)
    return Pack(
        path=path,
        name=values.name,
        classes=values.classes,
        group_names=values.groups,
        labels=columns["label"].astype(np.int64),
        part_codes=columns["part"],
        group_codes=columns["group"],
        header=header,
        content=MappedFile(path),
        verified=np.zeros(header.images, dtype=np.bool_),
    )


def _verify_checksum(file: IO[bytes], header: Header, name: str) -> None:
    file.seek(header.index_start)
    digest = xxhash.xxh3_128()
    while block := file.read(2**20):
        digest.update(block)
    if digest.digest() != header.checksum:
        raise _damaged(name, "its index does not have its checksum")


@dataclass(frozen=True)
class _Values:
    name: str
    classes: tuple[str, ...]
    groups: tuple[str, ...]


def _json(file: IO[bytes], header: Header, name: str) -> _Values:
    file.seek(header.index_start + header.record_bytes + header.text_bytes)
    try:
        values = json.loads(file.read(header.json_bytes))
        found = _Values(values["name"], tuple(values["classes"]), tuple(values["groups"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _damaged(name, "its names of classes cannot be read") from None
    texts = (found.name, *found.classes, *found.groups)
    if not all(isinstance(text, str) for text in texts) or len(set(found.classes)) < len(found.classes):
        raise _damaged(name, "its names of classes are no different texts")
    return found


def _columns(
    file: IO[bytes], header: Header, classes: int, groups: int, name: str
) -> Shaped[np.ndarray, " images"]:
    """Label, group and part of each image, of an index that is verified, whoever wrote it.

    It is read block by block, not mapped: what is mapped and read counts as memory of the process.
    """
    kept = ("label", "group", "part")
    columns = np.empty(header.images, dtype=[(column, RECORD[column]) for column in kept])
    hashes = np.empty(header.images, dtype=np.uint64)
    end = 0
    for start in range(0, header.images, RECORDS_READ):
        file.seek(header.index_start + start * RECORD.itemsize)
        count = min(RECORDS_READ, header.images - start)
        records = np.frombuffer(file.read(count * RECORD.itemsize), dtype=RECORD)
        ends = np.concatenate([[end], records["name_end"].astype(np.float64)])  # exact up to 2**53 bytes
        if _is_outside(records, header, classes, groups) or (np.diff(ends) < 0).any():
            raise _damaged(name, "an image of its index is outside its pixels, or has no class")
        for column in kept:
            columns[column][start : start + count] = records[column]
        if ends[-1] > header.text_bytes:
            raise _damaged(name, "its names do not fit")
        file.seek(header.index_start + header.record_bytes + end)
        texts, first, end = file.read(int(ends[-1]) - end), end, int(ends[-1])
        bounds = [int(each) - first for each in ends]
        hashes[start : start + count] = [
            xxhash.xxh3_64_intdigest(texts[low:high]) for low, high in pairwise(bounds)
        ]
    if end != header.text_bytes:
        raise _damaged(name, "its names do not fit")
    hashes.sort()  # of 64 bits each: the names themselves would take much memory
    if (hashes[1:] == hashes[:-1]).any():
        raise _damaged(name, "two of its images have one name")
    return columns


def _is_outside(records: Shaped[np.ndarray, " block"], header: Header, classes: int, groups: int) -> bool:
    """Whether a record points to bytes that are no pixels of the file, or to no class, group or part."""
    height, width, channels = (records[side].astype(np.int64) for side in ("height", "width", "channels"))
    pixels = height * width
    last_start = header.index_start - pixels * channels
    wrong = (
        (last_start < PIXELS_START)
        | (records["offset"] < PIXELS_START)
        | (records["offset"] > last_start.clip(0).astype(np.uint64))
        | (pixels < 1)
        | (pixels > PIXEL_LIMIT)
        | ((channels != 1) & (channels != 3))
        | (records["label"] < 0)
        | (records["label"] >= classes)
        | (records["part"] >= len(PARTS))
        | (records["group"] < (0 if groups else -1))
        | (records["group"] >= groups)
    )
    return bool(wrong.any())


def _damaged(name: str, what: str) -> DataError:
    return DataError(f"{name} is damaged: {what}. Copy it again, or pack the images again")
