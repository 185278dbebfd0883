"""What can classify: a checkpoint in torch, or an exported network in another runtime."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from verydeep.architecture.preprocess import Preprocess


@runtime_checkable
class Network(Protocol):
    """A trained network with what is needed to classify images, whatever computes it."""

    @property
    def preprocess(self) -> Preprocess:
        """The preprocessing of images."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the logits."""

    @property
    def origin(self) -> dict[str, Any]:
        """Metadata of the training, with the temperature that divides the logits."""

    def logits(
        self, pixels: UInt8[np.ndarray, "batch channels size size"]
    ) -> Float32[np.ndarray, "batch classes"]:
        """The logits of one batch of decoded images, 0 to 255 in gray or RGB order."""
