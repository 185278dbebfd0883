"""A heat map: the evidence for one class at each pixel of one image, whatever computed it; without torch."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from verydeep.architecture.description import Description
from verydeep.errors import DataError
from verydeep.name_list import first_names

Method = Literal["grad-cam", "grad-cam++", "occlusion", "integrated-gradients", "smoothgrad"]
METHODS: tuple[Method, ...] = get_args(Method)

MAX_LISTED = 12
"""Class names in an error message."""


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """The evidence for one class in one image."""

    pixels: UInt8[np.ndarray, "channels size size"]
    """The image at the input size of the network, before normalization."""
    heat: Float32[np.ndarray, "size size"]
    """From 0 to 1, the maximum of this image; 0 everywhere if there is no evidence for the class."""
    label: str
    """The explained class."""
    probability: float
    """The probability of ``label``, in [0, 1]."""
    predicted: str
    """The predicted class."""
    confidence: float
    """The probability of ``predicted``, in [0, 1]."""
    method: Method
    layer: str | None
    """The layer whose feature map was used; None if the method uses the pixels."""

    @property
    def values(self) -> dict[str, Any]:
        """For JSON, without the pixels and the heat."""
        names = ("label", "probability", "predicted", "confidence", "method", "layer")
        return {name: getattr(self, name) for name in names}


def class_labels(network: Description, classes: Sequence[str], count: int) -> Int64[np.ndarray, " count"]:
    """The indices of ``classes``, one per image, among those of ``network``.

    Raises:
        DataError: if there is no such class, or not one per image.
    """
    if isinstance(classes, str) or len(classes) != count:
        raise DataError(
            f"{count} images are given with the classes {classes!r}; expected one class per image"
        )
    return np.array([class_index(network, name) for name in classes], dtype=np.int64)


def class_index(network: Description, name: str) -> int:
    """The index of the class ``name`` of ``network``.

    Raises:
        DataError: if the network has no such class, with similar names.
    """
    classes = network.classes
    if name in classes:
        return classes.index(name)
    similar = difflib.get_close_matches(name, classes, n=3)
    hint = f"Did you mean {' or '.join(similar)}? " if similar else ""
    listed = first_names(classes, MAX_LISTED)
    raise DataError(f"{network.architecture.name} has no class {name!r}. {hint}Its classes are {listed}")
