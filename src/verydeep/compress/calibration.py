"""The signature of a compression step: from a network and calibration images to a smaller network."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from verydeep.models.checkpoint import Checkpoint

MAX_IMAGES = 2_000
"""More calibration images make no step better."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Training images of the input size of the network, by whose activations a step chooses and fits."""

    pixels: UInt8[Tensor, "count channels size size"]
    """From 0 to 255, not normalized: ``Checkpoint.preprocess`` says how."""
    labels: Int64[Tensor, " count"] | None = None
    """Indices of the network's classes; None where they are unknown."""
    seed: int = 0
    """Of everything that a step samples."""

    def __len__(self) -> int:
        return len(self.pixels)

    def at_most(self, count: int) -> "Calibration":
        """``count`` of the images, spread over all of them; all where there are fewer."""
        if len(self) <= count:
            return self
        chosen = torch.linspace(0, len(self) - 1, count).round().long()
        labels = None if self.labels is None else self.labels[chosen]
        return Calibration(pixels=self.pixels[chosen], labels=labels, seed=self.seed)


@dataclass(frozen=True)
class StepResult:
    """What a step gives back."""

    checkpoint: Checkpoint
    """The changed network in evaluation mode, with the preprocessing, classes and origin of the given one."""
    done: str
    """What was done, in one line: ``7 batch norms folded``."""


Step = Callable[[Checkpoint, Calibration], StepResult]
"""A pure function: the given network does not change. Where the step cannot change the network, it raises
``CompressionError`` with the reason. Settings of a step are bound before (``functools.partial``)."""
