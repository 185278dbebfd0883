"""The calibration images, and what a step gives back.

Each step is a pure function from a network and calibration images to a changed network: the given one stays
as it is, and where the step cannot change it, ``CompressionError`` says why.
"""

from dataclasses import dataclass, replace

from jaxtyping import UInt8
from torch import Tensor

from verydeep.compress.image_part import spread
from verydeep.models.checkpoint import Checkpoint

MAX_IMAGES = 2_000
"""More calibration images make no step better."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Training images of the input size of the network, by whose activations a step chooses and fits."""

    pixels: UInt8[Tensor, "count channels size size"]
    """From 0 to 255, not normalized: ``Checkpoint.preprocess`` says how."""
    seed: int = 0
    """Of everything that a step samples."""

    def __len__(self) -> int:
        return len(self.pixels)

    def at_most(self, count: int) -> "Calibration":
        """``count`` of the images, spread over all of them; all where there are fewer."""
        if len(self) <= count:
            return self
        return replace(self, pixels=self.pixels[spread(len(self), count)])


@dataclass(frozen=True)
class StepResult:
    """What a step gives back."""

    checkpoint: Checkpoint
    """The changed network in evaluation mode, with the preprocessing, classes and origin of the given one."""
    done: str
    """What was done, in one line: ``7 batch norms folded``."""
