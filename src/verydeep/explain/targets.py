"""Finds the layer to explain by name; the error for an unknown name lists similar ones."""

from verydeep.errors import ArchitectureError
from verydeep.models.classifier import Classifier
from verydeep.models.feature_extractor import taps
from verydeep.models.receptive_fields import ReceptiveField, receptive_fields


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
