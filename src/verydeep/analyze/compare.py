"""A comparison of networks: the cost of each for one image of its own input, and published accuracies."""

from collections.abc import Iterable
from dataclasses import dataclass

from verydeep.analyze.published_accuracy import PublishedAccuracy, published
from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Shape


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One row of a comparison. Counts are for one image."""

    name: str
    architecture_string: str
    input: Shape
    depth: int
    """Layers with weights on the path from the image to the classes."""
    parameters: int
    macs: int
    activations: int
    receptive_field: int
    """Of the last convolution, in px of the input."""
    published: tuple[PublishedAccuracy, ...]
    """Accuracies that others measured; empty where nothing was published, as for other images or classes."""


def compare(architectures: Iterable[Architecture]) -> tuple[Comparison, ...]:
    """One row per architecture, in the given order."""
    return tuple(map(_row, architectures))


def _row(architecture: Architecture) -> Comparison:
    traced = trace(architecture)
    path = traced.path
    totals = traced.totals
    return Comparison(
        name=traced.name,
        architecture_string=traced.architecture_string,
        input=traced.input,
        depth=len(path),
        parameters=totals.parameters,
        macs=totals.macs,
        activations=totals.activations,
        receptive_field=next((row.receptive_field for row in reversed(path) if row.kind == "conv"), 1),
        published=published(architecture.name) if _is_of_zoo(architecture) else (),
    )


def _is_of_zoo(architecture: Architecture) -> bool:
    """Whether nothing of it was changed: an accuracy holds for one size of images and one set of classes."""
    return architecture.name in zoo.names() and architecture == zoo.resolve(architecture.name)
