"""Compares networks with the original: on the images that decide, and by the clock in the same turns."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Int64

from verydeep.analyze.trace import trace
from verydeep.compress.candidate import Measured
from verydeep.compress.image_part import ImagePart
from verydeep.compress.latency import latencies_ms
from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.metrics import accuracy
from verydeep.evaluate.paired_difference import Z_ONE_SIDED, paired_difference
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.logits import predict_logits


@dataclass(frozen=True)
class Accuracy:
    """Of a network on the images that decide; see ``Measured``."""

    top1: float
    difference: Interval


@dataclass(frozen=True)
class Latency:
    """Of a network and the original, in the same turns."""

    ms: float
    original_ms: float


class Judge:
    """Measures networks beside the original.

    Args:
        original: the network that is compressed.
        images: those that decide, at its input size.
        balanced: whether balanced accuracy decides, and not accuracy.
        batch: images that latency is measured with.
        threads: likewise.
    """

    def __init__(
        self, original: Checkpoint, images: ImagePart, *, balanced: bool, batch: int, threads: int
    ) -> None:
        self.original, self.images = original, images
        self.balanced, self.batch, self.threads = balanced, batch, threads
        self._images = {original.preprocess.size: images}

    @cached_property
    def logits(self) -> Float32[np.ndarray, "count classes"]:
        """Those of the original for all images."""
        return logits_of(self.original, self.images)

    @cached_property
    def labels(self) -> Int64[np.ndarray, " count"]:
        """Those of the images; where they are unknown, the classes that the original predicts."""
        labels = self.images.labels
        found: np.ndarray = self.logits.argmax(1) if labels is None else labels.numpy()
        return found

    def accuracy(self, network: Checkpoint) -> Accuracy:
        """That of ``network``, and its paired difference to the original."""
        logits = self.logits if network is self.original else logits_of(network, self._images_for(network))
        difference = paired_difference(
            self.logits, logits, self.labels, self.images.groups, balanced=self.balanced, z=Z_ONE_SIDED
        )
        return Accuracy(accuracy(logits, self.labels), difference)

    def _images_for(self, network: Checkpoint) -> ImagePart:
        """The images as ``network`` takes them, read once for each size."""
        size = network.preprocess.size
        if size not in self._images:
            self._images[size] = self.images.at_input_of(network.preprocess)
        return self._images[size]

    def latency(self, network: Checkpoint) -> Latency:
        """That of ``network``, by the clock."""
        original_ms, ms = latencies_ms([self.original.model, network.model], self.batch, self.threads)
        return Latency(ms, original_ms)


def logits_of(network: Checkpoint, images: ImagePart) -> Float32[np.ndarray, "count classes"]:
    """The logits of ``network`` for all ``images``, at its own input size."""
    pixels = images.at_input_of(network.preprocess).pixels
    logits: np.ndarray = predict_logits(network.model, pixels, network.preprocess).numpy()
    return logits


def measured(network: Checkpoint, accuracy: Accuracy, latency: Latency, size: int) -> Measured:
    """What was measured of ``network``, whose file has ``size`` bytes."""
    totals = trace(network.model.architecture).totals
    return Measured(
        architecture=network.model.architecture.string,
        top1=accuracy.top1,
        difference=accuracy.difference,
        latency_ms=latency.ms,
        original_ms=latency.original_ms,
        bytes=size,
        macs=totals.macs,
        parameters=totals.parameters,
    )
