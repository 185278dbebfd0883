"""A checkpoint: a trained network with everything that inference needs.

``load`` returns it and ``save`` writes it; ``weight_files/checkpoint_file.py`` has the file format.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from verydeep.architecture.description import Description, temperature_of
from verydeep.architecture.preprocess import Preprocess
from verydeep.models.classifier import Classifier
from verydeep.models.logits import predict_logits


@dataclass(frozen=True)
class Checkpoint:
    """A network with its preprocessing and class names."""

    model: Classifier
    preprocess: Preprocess
    classes: tuple[str, ...]
    """Class names; empty for weights without a head, whose network has one logit that is always zero."""
    origin: dict[str, Any] = field(default_factory=dict)
    """Metadata of the training: recipe, data, seed, accuracy, temperature, and any other entries."""

    def logits(
        self, pixels: UInt8[np.ndarray, "batch channels size size"]
    ) -> Float32[np.ndarray, "batch classes"]:
        """The logits of one batch of decoded images, on the device of the model."""
        logits = predict_logits(
            self.model, torch.from_numpy(pixels), self.preprocess, batch_size=max(1, len(pixels))
        )
        return logits.numpy()

    @property
    def description(self) -> Description:
        """Everything but the weights."""
        return Description(self.model.architecture, self.preprocess, self.classes, self.origin)

    @property
    def is_calibrated(self) -> bool:
        """Whether a temperature was fitted, and scaling with it helps: it is not 1."""
        return self.description.is_calibrated

    @property
    def temperature(self) -> float:
        """The number that divides the logits (temperature scaling, Guo et al. 2017, eq. 9); 1 if none was
        fitted.

        Raises:
            CheckpointError: if it is not a number in the range in which a temperature is fitted.
        """
        return temperature_of(self.origin)
