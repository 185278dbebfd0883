"""A trained network with all that it takes to use it: the value that ``load`` gives and ``save`` writes.

How it is stored on disk is the business of ``weights/checkpoint_file.py``.
"""

from dataclasses import dataclass, field
from typing import Any

from verydeep.architecture.preprocess import Preprocess
from verydeep.models.classifier import Classifier


@dataclass(frozen=True)
class Checkpoint:
    """A network that can be used by itself."""

    model: Classifier
    preprocess: Preprocess
    classes: tuple[str, ...]
    """Empty where only the features are trained; the head is then one logit that is always zero."""
    origin: dict[str, Any] = field(default_factory=dict)
    """Where it came from: recipe, data, seed, accuracy, temperature; free, for people to read."""
