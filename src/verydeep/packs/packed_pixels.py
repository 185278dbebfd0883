"""The pixels of a pack: an image by its number, in any process that knows the path of the file."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import xxhash
from jaxtyping import Shaped, UInt8

from verydeep.errors import UnreadableError
from verydeep.foreign_text import one_line
from verydeep.packs.layout import RECORD, Header
from verydeep.packs.mapped_file import MappedFile


@dataclass(frozen=True, kw_only=True)
class PackedPixels:
    """Decoded images and their names in a file."""

    path: Path
    header: Header
    content: MappedFile = field(compare=False, repr=False)
    verified: Shaped[np.ndarray, " count"] = field(compare=False, repr=False)
    """Of which images the checksum was right already."""

    def __len__(self) -> int:
        return self.header.images

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
    """An image in a pack. It is pickled as the file and its number in it."""

    pack: PackedPixels
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

    def __reduce__(self) -> tuple[Callable[[str, Header, int], "PackedImage"], tuple[str, Header, int]]:
        return _packed_image, (str(self.pack.path), self.pack.header, self.index)


def _packed_image(path: str, header: Header, index: int) -> PackedImage:
    return PackedImage(_pixels_of(path, header), index)


@lru_cache(maxsize=8)
def _pixels_of(path: str, header: Header) -> PackedPixels:
    """The pack whose index another process has verified already."""
    return PackedPixels(
        path=Path(path),
        header=header,
        content=MappedFile(Path(path)),
        verified=np.zeros(header.images, dtype=np.bool_),
    )
