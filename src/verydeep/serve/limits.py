"""What the server accepts: batches, queue, sizes and times."""

from dataclasses import dataclass, replace

from verydeep.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a server.

    Raises:
        DataError: if a value is out of range.
    """

    max_batch: int = 16
    """Images that the network computes at once."""
    max_wait_ms: float = 5.0
    """How long an image waits for others to fill its batch."""
    max_queue: int = 256
    """Images that are accepted and not answered yet; further ones are refused."""
    max_bytes: int = 32_000_000
    """Of the body of a request."""
    max_memory: int = 512_000_000
    """Bytes of all bodies that are being received or decoded."""
    max_files: int = 64
    """Images in a request."""
    max_pixels: int = 50_000_000
    """Of an image, from its header."""
    max_header_bytes: int = 16_384
    """Of all headers of a request."""
    header_seconds: float = 10.0
    """In which the headers of a request must arrive."""
    body_seconds: float = 60.0
    """In which the body must arrive."""
    deadline_seconds: float = 60.0
    """In which an accepted request is answered."""
    stop_seconds: float = 30.0
    """In which running requests are completed when the server stops."""

    def __post_init__(self) -> None:
        for name, value in (("--max-batch", self.max_batch), ("--max-queue", self.max_queue)):
            if value < 1:
                raise DataError(f"{name} is {value}; expected 1 or more")
        if not 0 <= self.max_wait_ms <= 10_000:
            raise DataError(f"--max-wait-ms is {self.max_wait_ms:g}; expected 0 to 10000")

    def shared_among(self, processes: int) -> "Limits":
        """The limits of one of so many ``processes``: together they hold as many bytes as one would alone."""
        return replace(self, max_memory=max(self.max_bytes, self.max_memory // processes))

    @property
    def files(self) -> int:
        """Images in a request that an empty queue has room for."""
        return min(self.max_files, self.max_queue)
