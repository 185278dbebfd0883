"""The bytes of a pack: a header, the pixels of one image after another, and an index at the end.

docs/packs.md describes the form for other programs. All numbers are little-endian.
"""

import struct
from typing import Final, Literal, NamedTuple

import numpy as np

from verydeep.errors import DataError

SUFFIX = ".pack"
"""Of the names of packs."""
MAGIC: Final = b"VDPACK\r\n"
"""The first bytes; a transfer as text would change the line break."""
VERSION: Final = 1
HEADER: Final = struct.Struct("<8sIIQQQQQ16s")
"""Magic, version, size of a record, images, where the index begins; bytes of its records, its texts and its
JSON; the checksum of the index (XXH3, 128 bits)."""
PIXELS_START: Final = 128
"""The first byte of the first image; the header fills the bytes before it with zeros."""
RECORD: Final = np.dtype(
    [
        ("offset", "<u8"),
        ("checksum", "<u8"),
        ("name_end", "<u8"),
        ("label", "<i4"),
        ("group", "<i4"),
        ("width", "<u2"),
        ("height", "<u2"),
        ("channels", "u1"),
        ("part", "u1"),
    ]
)
"""Of an image: the first byte of its pixels and their checksum (XXH3, 64 bits); where its name ends in the
texts; the index of its class, and of its group (-1 for none); its size; 1 for gray, 3 for RGB; 0 to 3 for no
part, train, val and test."""
Part = Literal["train", "val", "test"]
PARTS: Final[tuple[Part | None, ...]] = (None, "train", "val", "test")
MAX_SIDE: Final = 65_535
MAX_JSON: Final = 64 * 2**20
"""Bytes of the JSON, which has the names of classes and groups."""


class Header(NamedTuple):
    """The fields of ``HEADER``, without the first two."""

    images: int
    index_start: int
    record_bytes: int
    text_bytes: int
    json_bytes: int
    checksum: bytes

    @property
    def end(self) -> int:
        """The size of the file."""
        return self.index_start + self.record_bytes + self.text_bytes + self.json_bytes


def header_bytes(header: Header) -> bytes:
    """``header`` as it is written."""
    return HEADER.pack(MAGIC, VERSION, RECORD.itemsize, *header)


def parse_header(content: bytes, size: int, name: str) -> Header:
    """The header of the pack ``name``, a file of ``size`` bytes.

    Raises:
        DataError: where it is no complete pack of this version.
    """
    if len(content) < HEADER.size or not content.startswith(MAGIC):
        raise DataError(f"{name} is not a pack of images: `verydeep data pack` writes one")
    _, version, record_size, *numbers = HEADER.unpack(content[: HEADER.size])
    if version != VERSION or record_size != RECORD.itemsize:
        raise DataError(
            f"{name} is a pack of version {version}; this verydeep reads version {VERSION}. Pack the images "
            "again"
        )
    header = Header(*numbers)
    if header.end != size or header.index_start < PIXELS_START:
        raise DataError(
            f"{name} is truncated or damaged: it has {size:,} bytes, and its header states {header.end:,}. "
            "Copy it again, or pack the images again"
        )
    if header.record_bytes != header.images * RECORD.itemsize or header.json_bytes > MAX_JSON:
        raise DataError(f"{name} is damaged: the sizes in its header do not fit. Pack the images again")
    return header
