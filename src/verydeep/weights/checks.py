"""Checks on a weight file before its tensors are used: its unpacked size, and that all values are finite."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from verydeep.errors import CheckpointError

MAX_EXPANSION = 20
"""Unpacked over stored bytes. Trained weights compress to 0.9 of their size; 95 % pruned, to about 0.08."""

ALWAYS_ALLOWED_BYTES = 64 << 20
"""Every file may unpack to this size: a small file of zeros compresses well and is harmless."""


def check_expansion(path: Path, declared: int, verb: str = "unpacks to") -> None:
    """Refuse a file that declares far more bytes than it has on disk.

    Raises:
        CheckpointError: with both numbers.
    """
    stored = path.stat().st_size
    if declared > max(ALWAYS_ALLOWED_BYTES, MAX_EXPANSION * stored):
        raise CheckpointError(
            f"{path} has {stored:,} bytes and {verb} {declared:,}: weights do not compress that well, so the "
            "file is malicious or damaged. If it is yours, save it again uncompressed"
        )


def open_zip(path: Path) -> zipfile.ZipFile:
    """The zip file at ``path``.

    Raises:
        CheckpointError: where it is broken or unpacks to far too many bytes.
    """
    try:
        opened = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise broken_file_error(path, "a zip", error) from None
    declared = sum(entry.file_size for entry in opened.infolist())
    try:
        check_expansion(path, declared)
    except CheckpointError:
        opened.close()
        raise
    return opened


def broken_file_error(path: Path, file_format: str, error: Exception) -> CheckpointError:
    """The error for a file that starts like ``file_format`` but cannot be read to its end."""
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
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


def abbreviated(names: Sequence[str], shown: int = 3) -> str:
    """The first ``shown`` names, and the number of the others."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
