"""A network that compression tries: what is measured of it, and whether it is kept."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verydeep.evaluate.confidence_intervals import Interval

if TYPE_CHECKING:
    from verydeep.models.checkpoint import Checkpoint


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A network on the images that decide, and on this machine."""

    architecture: str
    """Its architecture string."""
    top1: float
    """Accuracy in [0, 1]; without labels, the share of images with the class of the original."""
    difference: Interval
    """Of the measure that decides (accuracy or balanced accuracy), this network minus the original, on the
    same images; each end is a one-sided 95 % bound."""
    latency_ms: float
    """At the batch size and the threads that were asked for."""
    original_ms: float
    """That of the original, in the same turns."""
    bytes: int
    """Of its file."""
    macs: int
    parameters: int

    @property
    def speedup(self) -> float:
        """How many times faster than the original."""
        return self.original_ms / self.latency_ms

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "top1": self.top1,
            "latency_ms": self.latency_ms,
            "bytes": self.bytes,
            "macs": self.macs,
            "parameters": self.parameters,
        }


@dataclass(frozen=True)
class Candidate:
    """A measured network, and why it is kept or rejected."""

    name: str
    """Of its step."""
    checkpoint: "Checkpoint | None"
    """None of a rejected one, which nothing needs any more."""
    measured: Measured
    kept: bool
    why: str

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "architecture": self.measured.architecture,
            "top1": self.measured.top1,
            "latency_ms": self.measured.latency_ms,
            "bytes": self.measured.bytes,
            "kept": self.kept,
            "why": self.why,
        }
