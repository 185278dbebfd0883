"""Where training gets its batches from: one small protocol.

Pixels in memory (``pixels_in_memory.py``), images on disk (``streamed_images.py``) and cached feature maps
(``frozen_features.py``) stand behind it.
The loop says which images the coming batches have, so that a source may prepare them ahead, and takes the
batches in order.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float, Int64
from torch import Tensor

from verydeep.data.augmentation.mix import Labels
from verydeep.inputs.share import Share

Plan = Sequence[Int64[Tensor, " _"]]
"""The indices of the images of each coming batch, in order."""


class TrainingBatch(NamedTuple):
    """What one step trains on."""

    inputs: Float[Tensor, "batch channels rows columns"]
    """Of the part of the network that is trained: images, or feature maps."""
    labels: Labels


@runtime_checkable
class BatchSource(Protocol):
    """Labeled images, as inputs of the part of the network that is trained."""

    @property
    def labels(self) -> Int64[Tensor, " count"]:
        """The class of each image, on the device that trains."""

    @property
    def classes(self) -> int:
        """How many there are."""

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of an input."""

    def batches(
        self, plan: Plan, epoch: int, first_step: int, share: Share
    ) -> Generator[TrainingBatch, None, None]:
        """The batches of ``plan`` in order, on the device; the first one is that of ``first_step``.

        Of each batch only the images of ``share``, with the bits that they have in the whole batch. Each
        batch is a pure function of seed, epoch and step. Close it where not all of them are taken.
        """


@dataclass(frozen=True)
class TrainingInputs:
    """What training runs on."""

    train: BatchSource
    val: BatchSource | None
    """Never trained on, and not augmented; None where there is no validation."""
