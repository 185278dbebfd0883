"""What jobs ask of a trained network: the model, its preprocessing, its classes, and where it came from.

A checkpoint has all four; it lives on the floor of those jobs, which so cannot import it.
"""

from typing import Any, Protocol, runtime_checkable

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

    @property
    def origin(self) -> dict[str, Any]:
        """Where it came from; its ``temperature`` is what logits are divided by."""
