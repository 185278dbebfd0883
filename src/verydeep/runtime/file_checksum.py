"""Checksums of the files of a bundle, so that a truncated or exchanged file is found before it answers.

SHA-256 of all of a large file takes long at each start: 0.36 s for VGG16's 553 MB, where loading it takes
1.2 s (processor time). So a file above ``WHOLE_BYTES`` is compared by its size and by blocks spread over it,
in 4 ms: a network that was trained from scratch or fine-tuned differs in all of them, another linear probe
on the same features in the last one. Damage between the blocks is not found then; `sha256sum` compares all.
"""

from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path

import numpy as np

from verydeep.errors import CheckpointError

WHOLE_BYTES = 16_000_000
BLOCKS, BLOCK_BYTES = 64, 1 << 16


@dataclass(frozen=True, kw_only=True)
class FileChecksum:
    """What a file was when it was written."""

    bytes: int
    sha256: str
    blocks: str
    """SHA-256 of the size and of some blocks, ``blocks_checksum``."""


def file_checksum(file: Path) -> FileChecksum:
    """The checksum of ``file``."""
    with file.open("rb") as opened:
        whole = file_digest(opened, "sha256").hexdigest()
    return FileChecksum(bytes=file.stat().st_size, sha256=whole, blocks=blocks_checksum(file))


def blocks_checksum(file: Path) -> str:
    """SHA-256 of the size of ``file`` and of ``BLOCKS`` blocks, evenly spaced from its start to its end."""
    size = file.stat().st_size
    digest = sha256(str(size).encode())
    starts = np.linspace(0, max(0, size - BLOCK_BYTES), BLOCKS).astype(int).tolist()
    with file.open("rb") as opened:
        for start in starts:
            opened.seek(start)
            digest.update(opened.read(BLOCK_BYTES))
    return digest.hexdigest()


def check_file(file: Path, expected: FileChecksum) -> None:
    """Check that ``file`` is the one with the checksum ``expected``.

    Raises:
        CheckpointError: if it is missing, has another size or other content.
    """
    if not file.is_file():
        raise CheckpointError(f"{file} is missing. Copy the whole folder, or export the network again")
    size = file.stat().st_size
    if size != expected.bytes:
        raise CheckpointError(
            f"{file} has {size:,} bytes, but {expected.bytes:,} when it was exported: it is incomplete or of "
            "another network. Copy the whole folder again, or export the network again"
        )
    if not _has_content(file, expected):
        raise CheckpointError(
            f"{file} is not the file that was exported: its SHA-256 differs. Copy the whole folder again, or "
            "export the network again"
        )


def _has_content(file: Path, expected: FileChecksum) -> bool:
    if expected.bytes > WHOLE_BYTES:
        return blocks_checksum(file) == expected.blocks
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest() == expected.sha256
