"""Any number of images named, a batch at a time: decoding overlaps with computing, memory stays the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float32
from torch import Tensor

from verydeep.data.samples import ImageSource
from verydeep.data.stream import DecodedBatch, stream
from verydeep.evaluate.logits import images_at_once, predict_logits
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.temperature import temperature_of


@dataclass(frozen=True)
class Prediction:
    """What a network sees in one image, or why that cannot be read."""

    file: str
    """Its path, or its place in a shard."""
    top_classes: tuple[tuple[str, float], ...] = ()
    """Classes with their probabilities in [0, 1], the top_classes first; none of an image that is broken."""
    error: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        if self.error is not None:
            return {"file": self.file, "error": self.error}
        (label, confidence), *_ = self.top_classes
        by_class = dict(reversed(self.top_classes))  # of two classes of one name the likelier one stays
        return {
            "file": self.file,
            "label": label,
            "confidence": confidence,
            "probabilities": {name: by_class[name] for name, _ in self.top_classes},
        }


def predict(
    network: Checkpoint,
    sources: Sequence[ImageSource],
    *,
    top: int | None = None,
    batch_size: int | None = None,
) -> Iterator[tuple[Prediction, ...]]:
    """A prediction for each of ``sources``, in order, a batch at a time; broken images are among them.

    Probabilities are the softmax of the logits, divided by the network's temperature where it has one.

    Args:
        network: what ``verydeep.load`` gave, on the device that is to compute.
        sources: files, or entries of shards; ``verydeep.data.open_images.read_sources`` finds them.
        top: how many classes to name; all of them by default.
        batch_size: images at a time; what suits their size by default.

    Raises:
        CheckpointError: where the network's temperature is no positive number.
    """
    temperature, start = temperature_of(network.origin), 0
    for batch in stream(
        sources, network.preprocess, batch_size or images_at_once(network.preprocess.size**2)
    ):
        rows: list[tuple[tuple[str, float], ...]] = []
        if len(batch.pixels):
            logits = predict_logits(
                network.model, batch.pixels, network.preprocess, batch_size=len(batch.pixels)
            )
            rows = _named(logits, temperature, network.classes, top)
        predictions = tuple(_in_order(batch, rows, sources, start))
        start += len(predictions)
        yield predictions


def _named(
    logits: Float32[Tensor, "batch classes"], temperature: float, classes: tuple[str, ...], top: int | None
) -> list[tuple[tuple[str, float], ...]]:
    probabilities, places = (logits / temperature).softmax(1).sort(descending=True, stable=True)
    return [
        tuple((classes[place], value) for place, value in zip(*row, strict=True))
        for row in zip(places[:, :top].tolist(), probabilities[:, :top].tolist(), strict=True)
    ]


def _in_order(
    batch: DecodedBatch, rows: list[tuple[tuple[str, float], ...]], sources: Sequence[ImageSource], start: int
) -> Iterator[Prediction]:
    """``start`` is the place of the batch's first image, read or broken."""
    read = dict(zip(batch.indices.tolist(), rows, strict=True))
    broken = iter(batch.broken)
    for place in range(start, start + len(read) + len(batch.broken)):
        if place in read:
            yield Prediction(str(sources[place]), read[place])
        else:
            image = next(broken)
            yield Prediction(str(image.source), error=image.reason)
