"""Evaluation of a network on labeled images: everything that is measured of its logits."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from verydeep.architecture.description import Description
from verydeep.data.label_file import LabelRow
from verydeep.data.progress import OnProgress, count_images
from verydeep.errors import DataError
from verydeep.evaluate.doubtful_labels import doubtful_labels
from verydeep.evaluate.evaluation import Evaluation, evaluate_logits
from verydeep.evaluate.labeled_images import LabeledImages
from verydeep.evaluate.metrics import most_confident_mistakes
from verydeep.evaluate.mistake import Mistake
from verydeep.evaluate.protocols import LogitBatch, Protocol
from verydeep.image_sources.image_source import UnreadableImage
from verydeep.image_sources.samples import Samples


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """The evaluation of a network, with the images, the protocol and the mistakes behind the numbers."""

    network: str
    """The name of its architecture."""
    images: LabeledImages
    protocol: Protocol
    evaluation: Evaluation
    mistakes: tuple[Mistake, ...]
    """The most confident mistakes; their ``index`` is into ``images``."""
    broken: tuple[UnreadableImage, ...]
    """The images that cannot be read, and are left out."""
    doubtful_labels: tuple[LabelRow, ...] = ()
    """Images of your own, which are no training images, that are predicted as another class."""
    unused_temperature: bool
    """Whether the network has a temperature that is not valid for the protocol."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Restrictions that a reader of the numbers must know."""
        notes = []
        if self.broken:
            notes.append(f"Unreadable files, which are left out: {len(self.broken):,}.")
        if self.unused_temperature:
            notes.append("No temperature scaling: the temperature was fitted for the single-crop protocol.")
        return tuple(notes)

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **self.evaluation.values,
            "part": self.images.part,
            "protocol": self.protocol.values,
            "broken": [image.values for image in self.broken],
            "skipped": dict(self.images.reading.skipped),
        }


def evaluate_images(
    network: Description,
    logits: Iterable[LogitBatch],
    images: LabeledImages,
    protocol: Protocol,
    progress: OnProgress | None = None,
) -> EvaluationResult:
    """Everything that is measured of a network on ``images``.

    Args:
        network: its classes and temperature.
        logits: of ``images``, which are computed while they are read; ``protocol_logits`` and
            ``exported_logits`` give them.
        images: the labeled images.
        protocol: which crops are classified, and at which scales.
        progress: called after each batch.

    Raises:
        DataError: if no image can be read.
        CheckpointError: if the network's temperature is not a valid number.
    """
    # The temperature was fitted on validation logits of single crops. It is not valid for averaged views.
    is_scaled = network.is_calibrated and protocol.name == "single"
    temperature = network.temperature if is_scaled else None
    batches = list(count_images(logits, len(images), progress))
    broken = tuple(image for batch in batches for image in batch.broken)
    indices = np.concatenate([batch.indices for batch in batches])
    if not len(indices):
        raise DataError(f"none of the {len(images)} images can be read: {broken[0].reason}")
    all_logits, labels = np.concatenate([batch.logits for batch in batches]), images.labels[indices]
    evaluation = evaluate_logits(
        all_logits,
        labels,
        network.classes,
        groups=images.groups and tuple(images.groups[i] for i in indices),
        temperature=temperature,
    )
    scaled = all_logits / (temperature or 1)
    doubtful = _doubtful(images, indices, scaled, network.classes)
    mistakes = most_confident_mistakes(scaled, labels, network.classes)
    return EvaluationResult(
        network=network.architecture.name,
        images=images,
        protocol=protocol,
        evaluation=evaluation,
        mistakes=tuple(replace(each, index=int(indices[each.index])) for each in mistakes),
        doubtful_labels=doubtful,
        broken=broken,
        unused_temperature=network.is_calibrated and not is_scaled,
    )


def _doubtful(
    images: LabeledImages,
    indices: Int64[np.ndarray, " read"],
    logits: Float[np.ndarray, "read classes"],
    classes: tuple[str, ...],
) -> tuple[LabelRow, ...]:
    """Of held-out images: a network agrees with the labels that it was trained on."""
    samples = images.source
    if not isinstance(samples, Samples):
        return ()
    is_held_out = np.array(
        [samples.parts[i] not in images.trained_on for i in indices.tolist()], dtype=np.bool_
    )
    held_out = indices[is_held_out]
    names = [samples.names[i] for i in held_out.tolist()]
    return tuple(doubtful_labels(logits[is_held_out], images.labels[held_out], classes, names))
