"""A checkpoint: a trained network with everything that inference needs.

``load`` returns it and ``save`` writes it; ``weights/checkpoint_file.py`` has the file format.
"""

from dataclasses import dataclass, field
from typing import Any

from verydeep.architecture.preprocess import Preprocess
from verydeep.models.classifier import Classifier


@dataclass(frozen=True)
class Checkpoint:
    """A network with its preprocessing and class names."""

    model: Classifier
    preprocess: Preprocess
    classes: tuple[str, ...]
    """Class names; empty for weights without a head, whose network has one logit that is always zero."""
    origin: dict[str, Any] = field(default_factory=dict)
    """Metadata of the training: recipe, data, seed, accuracy, temperature, and any other entries."""
