"""What tells one published file from every other, and what is wrong with a file that claims to be it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Checksum:
    """What a publisher states of a file: a hash, a length, or neither."""

    digest: str | None = None
    """"sha256:<hex>" or "md5:<hex>"; hex alone is sha256. The beginning of a hash will do: torch.hub's file
    names end in the first eight digits, enough against accidents though not against malice."""
    size: int | None = None
    """Bytes."""
    slack: int = 0
    """Bytes by which the file may differ from ``size``, where a publisher states it rounded."""

    @property
    def exact_size(self) -> int | None:
        """Bytes, where they are known to the last one."""
        return None if self.slack else self.size

    def fault(self, path: Path) -> str | None:
        """What is wrong with the file at ``path``, in words; None where it is as stated."""
        return self.size_fault(path.stat().st_size) or self._digest_fault(path)

    def size_fault(self, size: int) -> str | None:
        """What is wrong with a file of ``size`` bytes; None where that may be it."""
        if self.size is None or abs(size - self.size) <= self.slack:
            return None
        return f"expected {self.size_words}, got {size:,}"

    @property
    def size_words(self) -> str:
        """The length as a person reads it; only where one is stated."""
        return f"{'about ' if self.slack else ''}{self.size:,} bytes"

    def _digest_fault(self, path: Path) -> str | None:
        if self.digest is None:
            return None
        algorithm, _, expected = self.digest.rpartition(":")
        algorithm = algorithm or "sha256"
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, algorithm).hexdigest()
        if actual.startswith(expected.lower()):
            return None
        return f"expected {algorithm} {expected}, got {actual}"
