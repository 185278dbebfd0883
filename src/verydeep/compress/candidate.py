"""A network that compression tries: what is measured of it, and whether it is kept."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float32
from torch import Tensor

from verydeep.analyze.trace import trace
from verydeep.compress.images import Part
from verydeep.compress.latency import latencies_ms
from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.metrics import accuracy
from verydeep.evaluate.paired_difference import Z_ONE_SIDED, paired_difference
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.logits import predict_logits
from verydeep.weight_files.checkpoint_file import save


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
    """A measured network, or a step that could not be taken, and why it is kept or rejected."""

    name: str
    """Of its step."""
    checkpoint: Checkpoint
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


class Bench:
    """Measures networks beside the original, on the same images and in the same turns."""

    def __init__(
        self, original: Checkpoint, images: Part, *, balanced: bool, batch: int, threads: int
    ) -> None:
        self.original, self.images = original, images
        self.balanced, self.batch, self.threads = balanced, batch, threads
        self.logits = self._logits(original, images)
        self.labels = self.logits.argmax(1) if images.labels is None else images.labels

    def measure(self, network: Checkpoint, size: int) -> Measured:
        """What is measured of ``network``, whose file has ``size`` bytes."""
        logits = self._logits(network, self.images).numpy()
        difference = paired_difference(
            self.logits.numpy(),
            logits,
            self.labels.numpy(),
            self.images.groups,
            balanced=self.balanced,
            z=Z_ONE_SIDED,
        )
        original_ms, latency_ms = latencies_ms([self.original.model, network.model], self.batch, self.threads)
        totals = trace(network.model.architecture).totals
        return Measured(
            architecture=network.model.architecture.string,
            top1=accuracy(logits, self.labels.numpy()),
            difference=difference,
            latency_ms=latency_ms,
            original_ms=original_ms,
            bytes=size,
            macs=totals.macs,
            parameters=totals.parameters,
        )

    def _logits(self, network: Checkpoint, images: Part) -> Float32[Tensor, "count classes"]:
        return predict_logits(network.model, images.pixels, network.preprocess)


def file_bytes(network: Checkpoint) -> int:
    """The size of the checkpoint of ``network`` in fp32."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        save(network, file)
        return file.stat().st_size
