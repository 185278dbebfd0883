"""What this folder asks of a network: the model, how its images are normalised, what its classes are called.

A checkpoint has all three; it lives on the same floor, and so is not imported here.
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

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its classes; none where only its features are trained."""
