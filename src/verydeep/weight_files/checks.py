"""Checks on a weight file before its tensors are used: its unpacked size, and that all values are finite."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from verydeep.errors import CheckpointError

FLOAT_TYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
"""The types of weights; the others are converted to the first."""

MAX_EXPANSION = 20
"""Unpacked over stored bytes. Trained weights compress to 0.9 of their size; 95 % pruned, to about 0.08."""

ALWAYS_ALLOWED_BYTES = 64 << 20
"""Every file may unpack to this size: a small file of zeros compresses well and is harmless."""

MAX_REASON = 200
"""Characters of the message of another library that are shown."""

MAX_ADDED_BYTES = 512 << 20
"""No file of another project may unpack to more than its own size and this."""


def check_expansion(path: Path, declared: int, verb: str = "unpacks to") -> None:
    """Refuse a file that declares far more bytes than weights in a file of its size have.

    Raises:
        CheckpointError: with both numbers.
    """
    check_ratio(path, declared, verb, MAX_EXPANSION)
    if declared > path.stat().st_size + MAX_ADDED_BYTES:
        raise _expansion_error(path, declared, verb)


def check_ratio(path: Path, declared: int, verb: str, most: int) -> None:
    """Refuse a file that declares more than ``most`` times the bytes that it has on disk.

    Raises:
        CheckpointError: with both numbers.
    """
    if declared > max(ALWAYS_ALLOWED_BYTES, most * path.stat().st_size):
        raise _expansion_error(path, declared, verb)


def _expansion_error(path: Path, declared: int, verb: str) -> CheckpointError:
    return CheckpointError(
        f"{path} has {path.stat().st_size:,} bytes and {verb} {declared:,}: weights do not compress that "
        "well, so the file is malicious or damaged. If it is yours, save it again uncompressed"
    )


def check_kind(path: Path, name: str, tensor: Tensor) -> None:
    """Refuse a tensor whose values are not all in memory, one after another.

    Raises:
        CheckpointError: naming the tensor and its kind.
    """
    if kind := _unusual_kind(tensor):
        raise CheckpointError(
            f"{path}: {name} is a {kind} tensor; expected one with all its values. Convert it where it was "
            "made (a sparse one by .to_dense(), a quantized one by .dequantize()) and save it again"
        )


def check_type(path: Path, name: str, tensor: Tensor) -> None:
    """Refuse a weight that is not of a floating-point type.

    Raises:
        CheckpointError: naming the tensor, its type and the types that are read.
    """
    if tensor.dtype not in FLOAT_TYPES:
        raise CheckpointError(
            f"{path}: {name} is {type_name(tensor.dtype)}; expected "
            f"{', '.join(map(type_name, FLOAT_TYPES))}. Save the weights from before the quantization"
        )


def type_name(dtype: torch.dtype) -> str:
    """``float32`` for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")


def _unusual_kind(tensor: Tensor) -> str:
    if tensor.is_meta:
        return "meta (empty)"
    if tensor.is_quantized:
        return "quantized"
    if tensor.is_nested:
        return "nested"
    return "" if tensor.layout == torch.strided else "sparse"


def broken_file_error(path: Path, file_format: str, error: Exception) -> CheckpointError:
    """The error for a file that starts like ``file_format`` but cannot be read to its end."""
    first_line = (str(error).splitlines() or [type(error).__name__])[0][:MAX_REASON]
    return CheckpointError(
        f"{path} ({path.stat().st_size:,} bytes) is {file_format} file that is broken or truncated: "
        f"{first_line}. Copy or download it again"
    )


def non_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of the tensors that contain NaN or infinity.

    The sum of a tensor is checked first, as NaN and infinity both spread to it: this takes a third of the
    time of a check of each value.
    """
    return [
        name
        for name, value in tensors.items()
        if value.is_floating_point() and not bool(value.sum().isfinite()) and not bool(value.isfinite().all())
    ]
