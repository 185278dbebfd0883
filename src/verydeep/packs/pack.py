"""A pack: images, labels, groups and names as columns of an index in a file that is mapped into memory."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import xxhash
from jaxtyping import Int32, Int64, Shaped, UInt8, UInt32

from verydeep.errors import UnreadableError
from verydeep.foreign_text import one_line
from verydeep.packs.layout import PARTS, RECORD, Header, Part
from verydeep.packs.mapped_file import MappedFile
from verydeep.packs.rows import Rows


@dataclass(frozen=True)
class Pack:
    """Decoded images in a file, with labels, groups and parts of a split."""

    path: Path
    name: str = field(compare=False)
    classes: tuple[str, ...] = field(compare=False)
    group_names: tuple[str, ...] = field(compare=False)
    """Empty where the images have no groups."""
    labels: Int64[np.ndarray, " count"] = field(compare=False, repr=False)
    """Indices into ``classes``."""
    part_codes: UInt8[np.ndarray, " count"] = field(compare=False, repr=False)
    """Indices into ``layout.PARTS``."""
    group_codes: Int32[np.ndarray, " count"] = field(compare=False, repr=False)
    """Indices into ``group_names``."""
    header: Header
    content: MappedFile = field(compare=False, repr=False)
    verified: Shaped[np.ndarray, " count"] = field(compare=False, repr=False)
    """Of which images the checksum was right already."""

    def __len__(self) -> int:
        return self.header.images

    @property
    def sources(self) -> Rows["PackedImage"]:
        """The images."""
        return Rows(lambda index: PackedImage(self, index), self._all)

    @property
    def names(self) -> Rows[str]:
        """The name of each image in the data set that was packed."""
        return Rows(self.name_of, self._all)

    @property
    def parts(self) -> tuple[Part | None, ...]:
        """The part of each image, or None."""
        return tuple(PARTS[part] for part in self.part_codes)

    @property
    def groups(self) -> tuple[str, ...] | None:
        """The group of each image; None where they have none."""
        if not self.group_names:
            return None
        return tuple(self.group_names[group] for group in self.group_codes)

    @cached_property
    def _all(self) -> UInt32[np.ndarray, " count"]:
        return np.arange(len(self), dtype=np.uint32)

    def name_of(self, index: int) -> str:
        """The name of an image."""
        texts = self.header.index_start + self.header.record_bytes
        start = int(self._record(index - 1)["name_end"]) if index else 0
        size = int(self._record(index)["name_end"]) - start
        text = self.content.view(texts + start, size).tobytes()
        return text.decode(errors="surrogateescape")  # as Python reads file names

    def _record(self, index: int) -> np.void:
        start = self.header.index_start + index * RECORD.itemsize
        record: np.void = self.content.view(start, RECORD.itemsize).view(RECORD)[0]
        return record

    def pixels(self, index: int) -> UInt8[np.ndarray, "height width channels"]:
        """The pixels of an image, in the file: only what is used of them is read, after the first time.

        Raises:
            UnreadableError: where they are not those that were written.
        """
        record = self._record(index)
        start = int(record["offset"])
        shape = [int(record[side]) for side in ("height", "width", "channels")]
        pixels = self.content.view(start, math.prod(shape))
        if not self.verified[index]:
            if xxhash.xxh3_64_intdigest(pixels.data) != record["checksum"]:
                name = one_line(f"{self.path}/{self.name_of(index)}")
                raise UnreadableError(f"{name} is damaged: its pixels do not have its checksum", "corrupt")
            self.verified[index] = True
        return pixels.reshape(shape)


@dataclass(frozen=True)
class PackedImage:
    """An image in a pack."""

    pack: Pack
    index: int

    def pixels(self) -> UInt8[np.ndarray, "height width channels"]:
        """Gray or RGB, as they lie in the file.

        Raises:
            UnreadableError: where they are damaged.
        """
        return self.pack.pixels(self.index)

    def read(self) -> bytes:
        """The image as a file of the format PGM or PPM, which states the size before the pixels.

        Raises:
            UnreadableError: where they are damaged.
        """
        pixels = self.pixels()
        height, width, channels = pixels.shape
        return f"P{6 if channels == 3 else 5} {width} {height} 255\n".encode() + pixels.tobytes()

    def __str__(self) -> str:
        return f"{self.pack.path}/{self.pack.name_of(self.index)}"
