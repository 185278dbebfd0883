"""Finds the class and the layer to explain by name; the errors for unknown names list similar ones."""

import difflib

from verydeep.architecture.description import Description
from verydeep.errors import ArchitectureError, DataError
from verydeep.models.classifier import Classifier
from verydeep.models.feature_extractor import taps
from verydeep.models.receptive_fields import ReceptiveField, receptive_fields

MAX_LISTED = 12
"""Class names in an error message."""


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
    listed = ", ".join(classes[:MAX_LISTED])
    more = f" and {len(classes) - MAX_LISTED:,} more" if len(classes) > MAX_LISTED else ""
    raise DataError(
        f"{network.architecture.name} has no class {name!r}. {hint}Its classes are {listed}{more}"
    )


def receptive_field_of(model: Classifier, layer: str) -> ReceptiveField:
    """The receptive field of ``layer``, a layer with a feature map.

    Raises:
        ArchitectureError: if the network has no such layer, or the layer is in the head and has no feature
            map.
    """
    by_layer = receptive_fields(model)
    if layer not in by_layer:
        taps(model, layer)  # raises if there is no such layer
        raise ArchitectureError(
            f"{layer} of {model.architecture.name} has no feature map: it is a layer of the head. "
            f"The last layer with a feature map is {list(by_layer)[-1]}"
        )
    return by_layer[layer]
