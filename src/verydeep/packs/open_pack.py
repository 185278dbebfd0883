"""Opens a pack: its index is verified, whoever wrote it; pixels are verified when they are first read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

import numpy as np
import xxhash
from jaxtyping import Shaped

from verydeep.errors import DataError
from verydeep.foreign_text import one_line
from verydeep.packs.layout import HEADER, PARTS, PIXELS_START, RECORD, SUFFIX, Header, parse_header
from verydeep.packs.pack import Pack

RECORDS_CHECKED = 250_000
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
        if not header.images:
            raise DataError(f"{name} has no images")
        _verify_checksum(file, header, name)
        values = _json(file, header, name)
        _verify_records(file, header, len(values.classes), len(values.groups), name)
    content = np.memmap(path, dtype=np.uint8, mode="r", shape=(size,)).view(np.ndarray)
    texts_start = header.index_start + header.record_bytes
    pack = Pack(
        path=path,
        name=values.name,
        classes=values.classes,
        group_names=values.groups,
        records=content[header.index_start : texts_start].view(RECORD),
        texts=content[texts_start : texts_start + header.text_bytes],
        content=content,
        verified=np.zeros(header.images, dtype=np.bool_),
    )
    _require_unique_names(pack, name)
    return pack


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


def _verify_records(file: IO[bytes], header: Header, classes: int, groups: int, name: str) -> None:
    """Refuse an index that points outside the file, whoever wrote it."""
    file.seek(header.index_start)
    last_end = 0
    for records in _blocks(file, header.images):
        sizes = [records[side].astype(np.int64) for side in ("height", "width", "channels")]
        pixels = sizes[0] * sizes[1]
        starts, ends = records["offset"], records["name_end"]
        outside = starts > header.index_start - (pixels * sizes[2]).astype(np.uint64)
        ordered = np.concatenate([[last_end], ends])
        wrong = (
            (starts < PIXELS_START).any()
            or (pixels * sizes[2] > header.index_start).any()
            or outside.any()
            or (pixels < 1).any()
            or (pixels > PIXEL_LIMIT).any()
            or not np.isin(sizes[2], (1, 3)).all()
            or (records["label"] < 0).any()
            or (records["label"] >= classes).any()
            or (records["part"] >= len(PARTS)).any()
            or (records["group"] < (0 if groups else -1)).any()
            or (records["group"] >= max(groups, 0)).any()
            or (ordered[1:] < ordered[:-1]).any()
        )
        if wrong:
            raise _damaged(name, "an image of its index is outside its pixels, or has no class")
        last_end = ends[-1]
    if int(last_end) != header.text_bytes:
        raise _damaged(name, "its names do not fit")


def _blocks(file: IO[bytes], images: int) -> Iterator[Shaped[np.ndarray, " block"]]:
    for start in range(0, images, RECORDS_CHECKED):
        count = min(RECORDS_CHECKED, images - start)
        yield np.frombuffer(file.read(count * RECORD.itemsize), dtype=RECORD)


def _require_unique_names(pack: Pack, name: str) -> None:
    """By a hash of 64 bits each: the names themselves would take much memory."""
    hashes, start = np.empty(len(pack), dtype=np.uint64), 0
    for first in range(0, len(pack), RECORDS_CHECKED):
        ends = pack.records["name_end"][first : first + RECORDS_CHECKED].tolist()
        for index, end in enumerate(ends, first):
            hashes[index], start = xxhash.xxh3_64_intdigest(pack.texts[start:end].data), end
    hashes.sort()
    if (hashes[1:] == hashes[:-1]).any():
        raise _damaged(name, "two of its images have one name")


def _damaged(name: str, what: str) -> DataError:
    return DataError(f"{name} is damaged: {what}. Copy it again, or pack the images again")
