"""The names that are asked for, of a class and of a map, and what is said where there is no such one."""

import difflib

from verydeep.errors import ArchitectureError, DataError
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.models.feature_extractor import taps
from verydeep.models.receptive_fields import ReceptiveField, receptive_fields

MOST_SHOWN = 12


def class_place(network: Checkpoint, name: str) -> int:
    """The place of the class ``name`` among those of ``network``.

    Raises:
        DataError: where it has no such class, with the nearest names.
    """
    if name in network.classes:
        return network.classes.index(name)
    near = difflib.get_close_matches(name, network.classes, n=3)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    shown = ", ".join(network.classes[:MOST_SHOWN])
    more = f" and {len(network.classes) - MOST_SHOWN:,} more" if len(network.classes) > MOST_SHOWN else ""
    raise DataError(
        f"{network.model.architecture.name} knows no class {name!r}. {hint}It knows {shown}{more}"
    )


def field_of(model: Classifier, layer: str) -> ReceptiveField:
    """What the values of ``layer`` see of the image.

    Raises:
        ArchitectureError: where the network has no such layer, or it stands in the head and gives no map.
    """
    found = receptive_fields(model)
    if layer not in found:
        taps(model, layer)  # refuses what is no layer at all
        raise ArchitectureError(
            f"{layer} of {model.architecture.name} gives no map: it stands in the head. "
            f"The last layer that gives one is {list(found)[-1]}"
        )
    return found[layer]
