"""The compact file ``model.vdz``: a checkpoint with its integers entropy-coded (docs/compact-file.md).

It holds what ``model.safetensors`` holds, and expands to the same bits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from verydeep.weight_files.checks import check_ratio
from verydeep.weight_files.compact.header import Header, TensorRecord, broken, read_header, unpacked
from verydeep.weight_files.compact.tensors import CodedTensor, coded_tensor, expanded, stored_bytes
from verydeep.weight_files.tensor_checksum import tensor_checksum

MAX_EXPANSION = 64
"""float32 over coded bytes: Huffman's code has at least one bit for a byte, which is at most two integers.

No written file exceeds it, so that each can be read again, however large its network is."""


@dataclass(frozen=True, kw_only=True)
class TensorSize:
    """How many bytes a tensor takes in a compact file."""

    name: str
    values: int
    bits: int | None
    """Of its integers; None where its values are stored."""
    bytes: int
    """With its scales."""
    entropy_bytes: float
    """The least bytes of one code for all integers, each by itself, with the scales."""


def to_bytes(tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> bytes:
    """The content of a compact file; its length is the size of the file.

    Args:
        tensors: by name, on the CPU; those of other floating-point types become float32.
        description: ``Description.to_dict``.
    """
    tensors = {
        name: value if value.dtype == torch.int64 else value.float() for name, value in tensors.items()
    }
    coded = list(_coded(tensors))
    header = Header(
        description=description,
        checksum=tensor_checksum(tensors),
        tensors=[each.record for each in coded],
    )
    return b"".join([header.to_bytes(), *(each.content for each in coded)])


def tensor_sizes(tensors: Mapping[str, Tensor]) -> list[TensorSize]:
    """The size of each tensor in a compact file, in their order."""
    return [
        TensorSize(
            name=each.record.name,
            values=each.record.values,
            bits=each.record.bits,
            bytes=len(each.content),
            entropy_bytes=each.entropy_bytes,
        )
        for each in _coded(tensors)
    ]


def _coded(tensors: Mapping[str, Tensor]) -> Iterator[CodedTensor]:
    for name, tensor in tensors.items():
        yield coded_tensor(name, tensor.numpy(force=True))


def read(path: Path) -> tuple[dict[str, Tensor], Header]:
    """The tensors and the header of the compact file at ``path``.

    Raises:
        CheckpointError: where it is broken, or declares far more bytes than it can hold.
    """
    header, end = read_header(path)
    size = sum((8 if each.kind == "int64" else 4) * each.values for each in header.tensors)
    check_ratio(path, size, "declares", MAX_EXPANSION)
    tensors: dict[str, Tensor] = {}
    with path.open("rb") as file:
        file.seek(end)
        for record in header.tensors:
            if record.name in tensors:
                raise broken(path, f"{record.name[:80]!r} is there twice")
            scales, values = file.read(record.scale_bytes), file.read(record.bytes)
            tensors[record.name] = _read_tensor(path, record, scales, values)
    return tensors, header


def _read_tensor(path: Path, record: TensorRecord, scales: bytes, values: bytes) -> Tensor:
    scale_bytes, value_bytes = stored_bytes(record)
    return torch.from_numpy(
        expanded(
            record,
            unpacked(path, scales, scale_bytes, "the scales") if record.kind == "integers" else b"",
            unpacked(path, values, value_bytes, "a tensor"),
        )
    )
