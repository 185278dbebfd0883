"""Batch prediction of any number of images: decoding overlaps with inference, in constant memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float32
from torch import Tensor

from verydeep.data.samples import ImageSource
from verydeep.data.stream import DecodedBatch, stream
from verydeep.evaluate.logits import auto_batch_size, predict_logits
from verydeep.malloc import return_freed_memory
from verydeep.models.checkpoint import Checkpoint

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

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        if self.error is not None:
            return {"file": self.file, "error": self.error}
        (label, confidence), *_ = self.top_classes
        by_class = dict(reversed(self.top_classes))  # of two classes with one name, the more probable remains
        return {
            "file": self.file,
            "label": label,
            "confidence": confidence,
            "probabilities": {name: by_class[name] for name, _ in self.top_classes},
        }


def predict(
    checkpoint: Checkpoint,
    sources: Sequence[ImageSource],
    *,
    top: int | None = None,
    batch_size: int | None = None,
) -> Iterator[tuple[Prediction, ...]]:
    """A prediction for each of ``sources``, in order, in batches; broken images are included.

    Probabilities are the softmax of the logits divided by the checkpoint's temperature.

    Args:
        checkpoint: the result of ``verydeep.load``; the computation runs on its device.
        sources: files, or entries of shards; ``verydeep.data.open_images.read_sources`` lists them.
        top: the number of classes per image (top-k); all by default.
        batch_size: images per batch; by default it depends on their size.

    Raises:
        CheckpointError: if the checkpoint's temperature is not a valid number.
    """
    temperature, start = checkpoint.temperature, 0
    preprocess = checkpoint.preprocess
    for batch in stream(sources, preprocess, batch_size or auto_batch_size(preprocess.size**2)):
        rows: list[TopClasses] = []
        if len(batch.pixels):
            logits = predict_logits(checkpoint.model, batch.pixels, preprocess, batch_size=len(batch.pixels))
            rows = _top_classes(logits / temperature, checkpoint.classes, top)
        return_freed_memory()
        predictions = tuple(_in_order(batch, rows, sources, start))
        start += len(predictions)
        yield predictions


def _top_classes(
    logits: Float32[Tensor, "batch classes"], classes: tuple[str, ...], top: int | None
) -> list[TopClasses]:
    probabilities, indices = logits.softmax(1).sort(descending=True, stable=True)
    return [
        tuple((classes[index], probability) for index, probability in zip(*row, strict=True))
        for row in zip(indices[:, :top].tolist(), probabilities[:, :top].tolist(), strict=True)
    ]


def _in_order(
    batch: DecodedBatch, rows: list[TopClasses], sources: Sequence[ImageSource], start: int
) -> Iterator[Prediction]:
    """``start`` is the index of the first image of the batch, readable or broken."""
    read = dict(zip(batch.indices.tolist(), rows, strict=True))
    broken = iter(batch.broken)
    for index in range(start, start + len(read) + len(batch.broken)):
        if index in read:
            yield Prediction(str(sources[index]), read[index])
        else:
            image = next(broken)
            yield Prediction(str(image.source), error=image.reason)
