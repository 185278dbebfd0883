"""Where one image is read from, and an image that cannot be read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from verydeep.errors import UnreadableError, UnreadableKind


@runtime_checkable
class ArchivedImage(Protocol):
    """An image inside a larger file, such as a shard; its ``str`` is its location, for messages."""

    def read(self) -> bytes:
        """The content of the image file."""


ImageSource = Path | ArchivedImage
"""The source of one image: a file, or an entry of a shard or a table."""


@dataclass(frozen=True)
class UnreadableImage:
    """An image that cannot be read, with the reason."""

    source: ImageSource
    reason: str
    """The error message."""
    kind: UnreadableKind
    name: str = ""
    """Its name in ``Samples``; empty for an image outside a data set."""

    @classmethod
    def from_error(cls, source: ImageSource, error: UnreadableError) -> "UnreadableImage":
        """The image at ``source``, which ``error`` was raised for."""
        return cls(source, str(error), error.kind)

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {"file": str(self.source), "error": self.reason}
