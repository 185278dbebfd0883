"""Batch prediction of any number of images: decoding overlaps with inference, in constant memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

from verydeep.architecture.description import temperature_of
from verydeep.decoding.batch_size import auto_batch_size
from verydeep.decoding.stream import PixelBatch, stream_pixels
from verydeep.errors import CheckpointError, DataError
from verydeep.image_sources.image_source import ImageSource
from verydeep.prediction.network import Network
from verydeep.probabilities import require_finite

NONE_OF_THESE = "none of these"
"""The answer for an image whose confidence is below the threshold."""

TopClasses = tuple[tuple[str, float], ...]
"""Classes with their probabilities in [0, 1], the most probable first."""


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image, or the reason why it cannot be read."""

    file: str
    """The path of the image, or its location in a shard."""
    top_classes: TopClasses = ()
    """The top-k classes with their probabilities; empty for a broken image."""
    error: str | None = None
    is_rejected: bool = False
    """Whether the most probable class is below the threshold, so that the answer is none of the classes."""

    @property
    def label(self) -> str | None:
        """The answer: the most probable class, or none of these; None for a broken image."""
        if self.error is not None:
            return None
        return NONE_OF_THESE if self.is_rejected else self.top_classes[0][0]

    @property
    def confidence(self) -> float:
        """The probability of the most probable class, of an image that is not broken."""
        return self.top_classes[0][1]

    @property
    def rejected(self) -> str | None:
        """The most probable class, where it was rejected."""
        return self.top_classes[0][0] if self.is_rejected else None

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        if self.error is not None:
            return {"file": self.file, "error": self.error}
        by_class = dict(reversed(self.top_classes))  # of two classes with one name, the more probable remains
        return {
            "file": self.file,
            "label": self.label,
            "confidence": self.confidence,
            "probabilities": {name: by_class[name] for name, _ in self.top_classes},
        } | ({"rejected": self.rejected} if self.is_rejected else {})


def predict(
    network: Network,
    sources: Sequence[ImageSource],
    *,
    top: int | None = None,
    batch_size: int | None = None,
    reject_below: float | None = None,
) -> Iterator[tuple[Prediction, ...]]:
    """A prediction for each of ``sources``, in order, in batches; broken images are included.

    Probabilities are the softmax of the logits divided by the network's temperature.

    Args:
        network: the result of ``verydeep.load``, or an exported network.
        sources: files, or entries of shards; ``verydeep.image_sources.find_images.read_sources`` lists them.
        top: the number of classes per image (top-k); all by default.
        batch_size: images per batch; by default it depends on their size.
        reject_below: the confidence in [0, 1] below which the answer is none of the classes.

    Raises:
        CheckpointError, DataError: as ``usable_temperature``.
    """
    temperature, start = usable_temperature(network, reject_below), 0
    preprocess = network.preprocess
    for batch in stream_pixels(sources, preprocess, batch_size or auto_batch_size(preprocess.size**2)):
        rows: list[TopClasses] = []
        if len(batch.pixels):
            logits = network.logits(batch.pixels)
            require_logits(logits, network.classes)
            rows = top_classes(logits / temperature, network.classes, top)
        predictions = tuple(_in_order(batch, rows, sources, start, reject_below))
        start += len(predictions)
        yield predictions


def usable_temperature(network: Network, reject_below: float | None) -> float:
    """The temperature of ``network``, if it can predict with ``reject_below``.

    Raises:
        CheckpointError: if the temperature is not a valid number.
        DataError: if a class is called like the answer for rejected images.
    """
    if reject_below is not None and NONE_OF_THESE in network.classes:
        raise DataError(f"the network has a class {NONE_OF_THESE!r}; leave out --reject-below")
    return temperature_of(network.origin)


def require_logits(logits: Float32[np.ndarray, "batch outputs"], classes: tuple[str, ...]) -> None:
    """Refuse logits of another number of classes, or that are not finite.

    Raises:
        CheckpointError: where it has another number of outputs than of ``classes``.
        DataError: where a logit is NaN or infinite.
    """
    if logits.shape[1] != len(classes):
        raise CheckpointError(
            f"the network has {logits.shape[1]:,} outputs, but {len(classes):,} class names: its file is "
            "damaged. Export or train it again"
        )
    require_finite(logits)


def top_classes(
    logits: Float32[np.ndarray, "batch classes"], classes: tuple[str, ...], top: int | None
) -> list[TopClasses]:
    """The ``top`` classes of each image by the softmax of its logits; equal ones keep their order."""
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = exponentials / exponentials.sum(1, keepdims=True)
    indices = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    ordered = np.take_along_axis(probabilities, indices, axis=1)
    return [
        tuple((classes[index], probability) for index, probability in zip(*row, strict=True))
        for row in zip(indices.tolist(), ordered.tolist(), strict=True)
    ]


def _in_order(
    batch: PixelBatch,
    rows: list[TopClasses],
    sources: Sequence[ImageSource],
    start: int,
    reject_below: float | None,
) -> Iterator[Prediction]:
    """``start`` is the index of the first image of the batch, readable or broken."""
    read = dict(zip(batch.indices.tolist(), rows, strict=True))
    broken = iter(batch.broken)
    for index in range(start, start + len(read) + len(batch.broken)):
        if index in read:
            is_rejected = reject_below is not None and read[index][0][1] < reject_below
            yield Prediction(str(sources[index]), read[index], is_rejected=is_rejected)
        else:
            image = next(broken)
            yield Prediction(str(image.source), error=image.reason)
