"""The header of a compact file (docs/compact-file.md): magic, two lengths, and JSON compressed by zlib.

It is read without torch, and bounded before memory is taken: a compact file may come from a stranger.
"""

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen
from pydantic import BaseModel, ConfigDict, ValidationError

from verydeep.architecture.description import problems_of
from verydeep.errors import CheckpointError

MAGIC = b"\x89VDZ\r\n\x1a\n"
"""Like that of PNG: a transfer that converts line ends or drops the eighth bit damages it."""
SUFFIX = ".vdz"
MAX_HEADER_BYTES = 4 << 20
"""Unpacked. ImageNet's class names and the tensors of a ResNet-152 need 0.2 MB."""

MAX_REASON = 300
"""Characters of what is wrong with the JSON that are shown."""

_LENGTHS = struct.Struct("<II")
"""Bytes of the compressed JSON, and of the JSON."""

Kind = Literal["integers", "float32", "float16", "int64"]
"""``integers`` have bfloat16 scales."""
MAX_COUNT = 1 << 48
"""Of the values of a tensor and of its bytes: no file has more, and all arithmetic with it stays small."""
Count = Annotated[int, Ge(0), Le(MAX_COUNT)]


@dataclass(frozen=True, kw_only=True)
class TensorRecord:
    """What the header says of one tensor; its bytes follow those of the tensors before it."""

    name: str
    shape: Annotated[tuple[Count, ...], MaxLen(8)]
    kind: Kind
    bits: Annotated[int, Ge(2), Le(8)] | None = None
    """Of integers: they run from -(2^(bits - 1) - 1) to 2^(bits - 1) - 1."""
    bytes: Count
    """Of the coded values."""
    scale_bytes: Count = 0
    """Of the coded scales, which come before the values."""

    def __post_init__(self) -> None:
        if prod(max(1, side) for side in self.shape) > MAX_COUNT:  # an empty array has strides too
            raise ValueError(f"{self.shape} is too large")
        if self.kind == "integers" and (self.bits is None or len(self.shape) < 2 or not self.values):
            raise ValueError(f"integers have bits and two or more sides of at least 1, {self.shape} given")

    @property
    def values(self) -> int:
        """How many there are."""
        return prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Header:
    """Everything in a compact file but the values of its tensors."""

    description: Mapping[str, Any]
    """As ``Description.to_dict`` gives it."""
    checksum: str
    """``tensor_checksum`` of the expanded tensors: that of the checkpoint with the same tensors."""
    tensors: Sequence[TensorRecord]

    def to_bytes(self) -> bytes:
        """Magic, lengths and JSON.

        Raises:
            CheckpointError: where these are more than is read again.
        """
        records = [
            {key: value for key, value in asdict(each).items() if value not in (None, 0)}
            | {"bytes": each.bytes}
            for each in self.tensors
        ]
        values = {"format": 1, "verydeep": self.description, "checksum": self.checksum, "tensors": records}
        text = json.dumps(values, separators=(",", ":")).encode()
        if len(text) > MAX_HEADER_BYTES:
            raise CheckpointError(
                f"what describes the network takes {len(text) / 2**20:.1f} MiB, such as the names of its "
                f"classes; a compact file has at most {MAX_HEADER_BYTES / 2**20:.0f} MiB"
            )
        packed = zlib.compress(text, 9)
        return MAGIC + _LENGTHS.pack(len(packed), len(text)) + packed


class _Values(BaseModel):
    """The JSON."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1]
    verydeep: dict[str, Any]
    checksum: str
    tensors: list[TensorRecord]


def is_compact(path: Path) -> bool:
    """Whether the file at ``path`` begins like a compact file."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_header(path: Path) -> tuple[Header, int]:
    """The header of the compact file at ``path``, and the position of the first byte after it.

    Raises:
        CheckpointError: where it is broken, too long, of a later format, or does not agree with the size of
            the file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(len(MAGIC) + _LENGTHS.size)
        if len(start) < len(MAGIC) + _LENGTHS.size:
            raise broken(path, "the header is missing")
        packed_bytes, text_bytes = _LENGTHS.unpack_from(start, len(MAGIC))
        if packed_bytes > size - len(start) or text_bytes > MAX_HEADER_BYTES:
            raise broken(path, f"it declares a header of {packed_bytes:,} bytes, {text_bytes:,} unpacked")
        text = unpacked(path, file.read(packed_bytes), text_bytes, "the header")
    header = _parsed(path, text)
    end = len(start) + packed_bytes
    stated = sum(each.bytes + each.scale_bytes for each in header.tensors)
    if stated != size - end:
        raise broken(path, f"{size - end:,} bytes of tensors are there, {stated:,} are declared")
    return header, end


def _parsed(path: Path, text: bytes) -> Header:
    try:
        values = _Values.model_validate_json(text)
    except ValidationError as error:
        raise CheckpointError(
            f"{path} is a compact file that this version of verydeep cannot read: "
            f"{problems_of(error)[:MAX_REASON]}"
        ) from None
    return Header(description=values.verydeep, checksum=values.checksum, tensors=values.tensors)


def unpacked(path: Path, packed: bytes, size: int, what: str) -> bytes:
    """The ``size`` bytes that zlib packed into ``packed``; no more than that is inflated.

    Raises:
        CheckpointError: where they are damaged, or are not as many.
    """
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(packed, size + 1)
    except zlib.error as error:
        raise broken(path, f"{what}: {error}") from None
    if len(content) != size or not stream.eof or stream.unused_data:
        raise broken(path, f"{what} is not {size:,} bytes long")
    return content


def broken(path: Path, reason: str) -> CheckpointError:
    """The error for a compact file that cannot be read to its end."""
    return CheckpointError(
        f"{path} ({path.stat().st_size:,} bytes) is a compact file that is broken or truncated: {reason}. "
        "Copy it again"
    )
