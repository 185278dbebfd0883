"""A checkpoint: a trained network with everything that inference needs.

``load`` returns it and ``save`` writes it; ``weight_files/checkpoint_file.py`` has the file format.
"""

from dataclasses import dataclass, field
from typing import Any

from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import CheckpointError
from verydeep.models.classifier import Classifier

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
"""The range in which a temperature is fitted. Values far outside it overflow to NaN probabilities."""


@dataclass(frozen=True)
class Checkpoint:
    """A network with its preprocessing and class names."""

    model: Classifier
    preprocess: Preprocess
    classes: tuple[str, ...]
    """Class names; empty for weights without a head, whose network has one logit that is always zero."""
    origin: dict[str, Any] = field(default_factory=dict)
    """Metadata of the training: recipe, data, seed, accuracy, temperature, and any other entries."""

    @property
    def is_calibrated(self) -> bool:
        """Whether a temperature was fitted, and scaling with it helps: it is not 1."""
        return bool(self.origin.get("temperature", 1.0) != 1.0)

    @property
    def temperature(self) -> float:
        """The number that divides the logits (temperature scaling, Guo et al. 2017, eq. 9); 1 if none was
        fitted.

        Raises:
            CheckpointError: if it is not a number in the range in which a temperature is fitted.
        """
        value = self.origin.get("temperature", 1.0)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and MIN_TEMPERATURE <= value <= MAX_TEMPERATURE):
            raise CheckpointError(
                f"the temperature of the checkpoint is {value!r}; expected a number from {MIN_TEMPERATURE:g} "
                f"to {MAX_TEMPERATURE:g}. Fit it again by `fit_temperature`, or remove it from the origin"
            )
        return float(value)
