"""The multiply-adds of a network for one image of the size that its preprocessing gives."""

from dataclasses import replace

from verydeep.analyze.trace import trace
from verydeep.architecture.description import Description


def macs_at(description: Description) -> int:
    """The MACs for one image: a network may have been exported for another size than it was built for.

    Raises:
        ShapeError: if that size is too small for its layers.
    """
    preprocess = description.preprocess
    size = (preprocess.channels, preprocess.size, preprocess.size)
    return trace(replace(description.architecture, input=size)).totals.macs
