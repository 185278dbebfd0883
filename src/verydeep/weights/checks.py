"""What a file must pass before its tensors are used: how much it may unpack to, and that all is finite."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from verydeep.errors import CheckpointError

MOST_EXPANSION = 20
"""Times its bytes on disk. Trained weights compress to 0.9; where 95 % were pruned away, to about 0.08."""

ALWAYS_ALLOWED = 64 << 20
"""Bytes that any file may unpack to, so that small ones, such as all zeros, are no matter."""


def check_expansion(path: Path, declared: int, what: str = "unpacks to") -> None:
    """Refuse a file that says it holds far more than its bytes can.

    Raises:
        CheckpointError: with both numbers.
    """
    stored = path.stat().st_size
    if declared > max(ALWAYS_ALLOWED, MOST_EXPANSION * stored):
        raise CheckpointError(
            f"{path} has {stored:,} bytes and {what} {declared:,}: weights do not compress so well, "
            "so this is a trap or an accident. Save it again uncompressed if it is yours"
        )


def open_zip(path: Path) -> zipfile.ZipFile:
    """The zip at ``path``, refused where it is broken or unpacks to far too much.

    Raises:
        CheckpointError: where it is one of these.
    """
    try:
        opened = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise broken(path, "a zip", error) from None
    declared = sum(entry.file_size for entry in opened.infolist())
    try:
        check_expansion(path, declared)
    except CheckpointError:
        opened.close()
        raise
    return opened


def broken(path: Path, kind: str, error: Exception) -> CheckpointError:
    """The error for a file that begins as ``kind`` and cannot be read to its end."""
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    return CheckpointError(
        f"{path} ({path.stat().st_size:,} bytes) is {kind} file that is broken or cut off: {first_line}. "
        "Copy or download it again"
    )


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of the tensors with a NaN or an infinity.

    One sum a tensor, which either makes not finite: a third of the time of looking at each value.
    """
    return [
        name
        for name, value in tensors.items()
        if value.is_floating_point() and not bool(value.sum().isfinite()) and not bool(value.isfinite().all())
    ]


def some(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
