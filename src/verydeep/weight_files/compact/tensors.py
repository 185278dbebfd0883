"""One tensor of a compact file as coded bytes, and back: integers and scales, or its own values."""

import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray

from verydeep.weight_files.compact.header import Kind, TensorRecord
from verydeep.weight_files.compact.integers import Integers, Scales, integers_and_scales, same_bits

NIBBLE_BITS = 4
"""Integers of so few bits are two in a byte: a code for pairs comes nearer to the entropy."""

_TYPES: dict[Kind, str] = {"integers": "i1", "float32": "<f4", "float16": "<f2", "int64": "<i8"}

_MEMORY_LEVEL = 9
"""The highest of zlib: the longest blocks, each with a code of its own."""

Values = Shaped[np.ndarray, "..."]
"""Of float32 or int64."""


@dataclass(frozen=True)
class CodedTensor:
    """A tensor as bytes."""

    record: TensorRecord
    content: bytes
    """The coded scales, then the coded values."""
    entropy_bytes: float
    """The least bytes of one code for all integers, each by itself (Shannon 1948), and those of the scales; a
    code that changes along the tensor may need less. Of other values, their coded bytes."""


def coded_tensor(name: str, values: Values) -> CodedTensor:
    """``values`` as bytes that ``expanded`` turns into the same bits."""
    if values.dtype == np.float32 and values.ndim > 1 and values.size:
        found = integers_and_scales(np.ascontiguousarray(values).reshape(len(values), -1))
        if found is not None:
            return _coded_integers(name, values.shape, *found)
    kind, stored = _stored(values)
    content = _packed(stored.astype(_TYPES[kind]).tobytes())
    record = TensorRecord(name=name, shape=values.shape, kind=kind, bytes=len(content))
    return CodedTensor(record, content, float(len(content)))


def _stored(values: Values) -> tuple[Kind, Values]:
    """As float16 where that is exact."""
    if values.dtype == np.int64:
        return "int64", values
    with np.errstate(over="ignore"):
        half = values.astype("f2")
    return ("float16", half) if same_bits(half.astype("f4"), values) else ("float32", values)


def _coded_integers(name: str, shape: tuple[int, ...], integers: Integers, scales: Scales) -> CodedTensor:
    bits = max(2, int(np.abs(integers).max()).bit_length() + 1)
    coded_scales = _packed((scales.view("u4") >> 16).astype("<u2").tobytes())
    content = _packed(_nibbles(integers) if bits <= NIBBLE_BITS else integers.tobytes())
    record = TensorRecord(
        name=name, shape=shape, kind="integers", bits=bits,
        bytes=len(content), scale_bytes=len(coded_scales),
    )  # fmt: skip
    return CodedTensor(record, coded_scales + content, _entropy_bits(integers) / 8 + len(coded_scales))


def _entropy_bits(integers: Integers) -> float:
    """The number of integers times the entropy of one, in bits."""
    counts = np.unique(integers, return_counts=True)[1]
    return float(-(counts * np.log2(counts / counts.sum())).sum())


def _packed(content: bytes) -> bytes:
    """In the format of zlib, with Huffman's code alone: weights hardly ever repeat a sequence."""
    stream = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, _MEMORY_LEVEL, zlib.Z_HUFFMAN_ONLY)
    return stream.compress(content) + stream.flush()


def _nibbles(integers: Integers) -> bytes:
    """Two integers in a byte, the first in its low half."""
    halves = integers.reshape(-1).view("u1") & 15
    halves = np.append(halves, np.zeros(halves.size % 2, "u1"))
    return bytes(halves[0::2] | halves[1::2] << 4)


def stored_bytes(record: TensorRecord) -> tuple[int, int]:
    """The bytes of the scales and of the values of a tensor, unpacked."""
    if record.kind != "integers":
        return 0, record.values * np.dtype(_TYPES[record.kind]).itemsize
    return 2 * record.shape[0], -(-record.values // 2) if _has_nibbles(record) else record.values


def _has_nibbles(record: TensorRecord) -> bool:
    return record.bits is not None and record.bits <= NIBBLE_BITS


def expanded(record: TensorRecord, scales: bytes, values: bytes) -> NDArray[np.float32] | NDArray[np.int64]:
    """The tensor of ``record`` from its unpacked bytes."""
    if record.kind == "int64":
        return np.frombuffer(values, "<i8").astype("i8").reshape(record.shape)
    if record.kind != "integers":
        return np.frombuffer(values, _TYPES[record.kind]).astype("f4").reshape(record.shape)
    integers = np.frombuffer(values, "u1")
    if _has_nibbles(record):
        halves = np.stack([integers & 15, integers >> 4], 1).reshape(-1)[: record.values]
        integers = (halves ^ 8) - 8  # the sign of four bits
    scale_of_row = (np.frombuffer(scales, "<u2").astype("u4") << 16).view("f4")
    rows = integers.view("i1").reshape(len(scale_of_row), -1)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused as in any checkpoint
        weights: NDArray[np.float32] = rows * scale_of_row[:, None]
    return weights.reshape(record.shape)
