"""Writes a pack: images decoded once, resized, one after another in a file that training reads at random."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import IO

import numpy as np
import xxhash
from jaxtyping import UInt8

from verydeep.atomic_write import atomic_write
from verydeep.check.check import MAX_UNREADABLE
from verydeep.decoding.decode import MIN_DECODE_SCALE, PIXEL_LIMIT, name_of, read_image
from verydeep.decoding.resize import resize_short_side
from verydeep.decoding.stream import decode_ahead
from verydeep.errors import DataError, UnreadableError
from verydeep.image_sources.image_source import ImageSource, UnreadableImage
from verydeep.image_sources.samples import Samples
from verydeep.packs.layout import (
    MAX_JSON,
    MAX_SIDE,
    PARTS,
    PIXELS_START,
    RECORD,
    Header,
    header_bytes,
)

BATCH = 64
"""The most images that are decoded at a time."""
BATCH_PIXELS = 2**25
"""The most pixels in them, if they are square: 100 MB, of which there are a few."""


@dataclass(frozen=True)
class Packed:
    """A pack that was written."""

    path: Path
    images: int
    bytes: int
    classes: int
    size: int
    """The short side in px to which larger images were resized."""
    unreadable: tuple[UnreadableImage, ...]
    """The images that were left out."""


def write_pack(
    samples: Samples,
    path: Path,
    size: int,
    *,
    location: str | Path = "FOLDER",
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Packed:
    """Write the images of ``samples`` to ``path``, completely or not at all.

    Each image is decoded as for every other command, and resized to a short side of ``size`` px; smaller ones
    keep their size. In memory are a few batches, and the index: of each image its name and 38 bytes.

    Args:
        samples: labeled images; their parts and groups are kept.
        path: of the pack.
        size: the short side in px.
        location: where the images are, for the command that an error names.
        workers: decoding threads; the number of processors by default.
        progress: called with the images that were read, and with their number in all.

    Raises:
        DataError: where ``size`` is out of range, or over 5 % of the images cannot be read.
        OSError: where the file cannot be written.
    """
    if not 1 <= size <= MAX_SIDE:
        raise DataError(f"the short side is {size} px; expected 1 to {MAX_SIDE:,}, such as 256")
    index, unreadable = _Index(samples, size), []
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        file.write(bytes(PIXELS_START))
        for position, result in _decoded(samples.sources, size, workers):
            if isinstance(result, UnreadableImage):
                unreadable.append(result)
                if len(unreadable) > MAX_UNREADABLE * len(samples):
                    raise _too_many(unreadable, len(samples), location)
            else:
                index.add(position, result, file.tell())
                file.write(result.data)
            progress(position + 1, len(samples))
        header = index.write(file)
        file.seek(0)
        file.write(header_bytes(header))
    return Packed(path, header.images, header.end, len(samples.classes), size, tuple(unreadable))


def _decoded(
    sources: Sequence[ImageSource], size: int, workers: int | None
) -> Iterator[tuple[int, UInt8[np.ndarray, "height width channels"] | UnreadableImage]]:
    """The pixels of each image with its position in ``sources``."""
    batch = max(1, min(BATCH, BATCH_PIXELS // size**2))
    for start, results in decode_ahead(sources, partial(_read, size=size), batch, workers):
        yield from enumerate(results, start)


def _too_many(unreadable: Sequence[UnreadableImage], count: int, location: str | Path) -> DataError:
    """The error for the first unreadable image over the limit; there may be more after it."""
    reasons = "; ".join(each.reason for each in unreadable[:3])
    return DataError(
        f"at least {len(unreadable):,} of {count:,} images cannot be read, more than {MAX_UNREADABLE:.0%}: "
        f"{reasons}. Repair or remove them; `verydeep data check {location}` lists all"
    )


def _read(source: ImageSource, size: int) -> UInt8[np.ndarray, "height width channels"]:
    name = name_of(source)
    image = read_image(source, name=name, short_side=MIN_DECODE_SCALE * size)
    if min(image.size) > size:
        image = resize_short_side(image, size, name, PIXEL_LIMIT)
    if max(image.size) > MAX_SIDE:
        raise UnreadableError(
            f"{name} is {image.width} x {image.height} px; a pack has sides of at most {MAX_SIDE:,} px. Crop "
            "it first.",
            "too narrow",
        )
    pixels = np.array(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


class _Index:
    """The index of a pack while it is written."""

    def __init__(self, samples: Samples, size: int) -> None:
        self._samples = samples
        self._groups = {name: number for number, name in enumerate(dict.fromkeys(samples.groups or ()))}
        self._json = self._checked_json(size)  # before hours of decoding
        self._records, self._texts = bytearray(), bytearray()

    def add(self, position: int, pixels: UInt8[np.ndarray, "height width channels"], offset: int) -> None:
        """Add the image at ``position`` of the samples, whose pixels begin at ``offset``."""
        samples = self._samples
        self._texts += samples.names[position].encode(errors="surrogateescape")
        record = np.zeros((), dtype=RECORD)
        record["offset"], record["checksum"] = offset, xxhash.xxh3_64_intdigest(pixels.data)
        record["name_end"], record["label"] = len(self._texts), int(samples.labels[position])
        record["group"] = self._groups[samples.groups[position]] if samples.groups else -1
        record["height"], record["width"], record["channels"] = pixels.shape
        record["part"] = PARTS.index(samples.parts[position])
        self._records += record.tobytes()

    def _checked_json(self, size: int) -> bytes:
        """The JSON of the index.

        Raises:
            DataError: if the names of classes and groups are too long for a pack.
        """
        values = {
            "verydeep": version("verydeep"),
            "name": self._samples.name,
            "short_side": size,
            "classes": list(self._samples.classes),
            "groups": list(self._groups),
        }
        text = json.dumps(values).encode()
        if len(text) > MAX_JSON:
            raise DataError(
                f"the names of {len(self._samples.classes):,} classes and {len(self._groups):,} groups take "
                f"{len(text) / 2**20:.0f} MiB; a pack has at most {MAX_JSON / 2**20:.0f}. Give other groups"
            )
        return text

    def write(self, file: IO[bytes]) -> Header:
        """Write the index at the end of ``file``, and return the header that describes it."""
        start, digest = file.tell(), xxhash.xxh3_128()
        for part in (self._records, self._texts, self._json):
            file.write(part)
            digest.update(part)
        return Header(
            images=len(self._records) // RECORD.itemsize,
            index_start=start,
            record_bytes=len(self._records),
            text_bytes=len(self._texts),
            json_bytes=len(self._json),
            checksum=digest.digest(),
        )
