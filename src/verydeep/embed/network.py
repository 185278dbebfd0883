"""What this folder asks of a network: the model, and how its images are normalised.

A checkpoint has both; it lives on the same floor, and so is not imported here.
"""

from typing import Protocol, runtime_checkable

from verydeep.models.classifier import Classifier
from verydeep.spec.preprocess import Preprocess


@runtime_checkable
class Network(Protocol):
    """Such as what ``verydeep.load`` gives."""

    @property
    def model(self) -> Classifier:
        """The network that runs."""

    @property
    def preprocess(self) -> Preprocess:
        """What is done to its images."""
