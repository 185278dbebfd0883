"""The checksum (hash) and size of a published file, and the comparison of a downloaded file with them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Checksum:
    """What a publisher states about a file: a hash, a size, both, or neither."""

    digest: str | None = None
    """"sha256:<hex>" or "md5:<hex>"; hex alone is sha256. The first digits of a hash are enough: torch.hub's
    file names end in the first eight, which detects corruption, but not a malicious file."""
    size: int | None = None
    """In bytes."""
    size_tolerance: int = 0
    """How many bytes the file may differ from ``size``, for publishers that state a rounded size."""

    @property
    def exact_size(self) -> int | None:
        """The size in bytes; None if it is not known exactly."""
        return None if self.size_tolerance else self.size

    def mismatch(self, path: Path) -> str | None:
        """How the file at ``path`` differs, as text; None if it matches."""
        return self.size_mismatch(path.stat().st_size) or self._digest_mismatch(path)

    def size_mismatch(self, size: int) -> str | None:
        """How a file of ``size`` bytes differs, as text; None if its size matches."""
        if self.size is None or abs(size - self.size) <= self.size_tolerance:
            return None
        return f"expected {self.size_text}, got {size:,}"

    @property
    def size_text(self) -> str:
        """The size as text; only for a stated size."""
        return f"{'about ' if self.size_tolerance else ''}{self.size:,} bytes"

    def _digest_mismatch(self, path: Path) -> str | None:
        if self.digest is None:
            return None
        algorithm, _, expected = self.digest.rpartition(":")
        algorithm = algorithm or "sha256"
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, algorithm).hexdigest()
        if actual.startswith(expected.lower()):
            return None
        return f"expected {algorithm} {expected}, got {actual}"
