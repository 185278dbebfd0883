"""Labels of a data set as indices of a network's classes."""

from unicodedata import normalize

import numpy as np
from jaxtyping import Int64

from verydeep.errors import DataError
from verydeep.name_list import first_names

SHOWN = 10
"""Classes that a message names."""


def network_labels(
    labels: Int64[np.ndarray, " count"], own: tuple[str, ...], classes: tuple[str, ...], name: str
) -> Int64[np.ndarray, " count"]:
    """``labels``, which are indices into ``own``, as indices into a network's ``classes``, matched by name.

    Names are compared in composed form (NFC).

    Raises:
        DataError: if an image of the data set ``name`` has a class that the network does not have.
    """
    known = {normalize("NFC", name): index for index, name in enumerate(classes)}
    used = [own[label] for label in np.unique(labels)]
    if unknown := [each for each in used if normalize("NFC", each) not in known]:
        raise DataError(
            f"{name} has images of {first_names(unknown, SHOWN)}; the network's classes are "
            f"{first_names(classes, SHOWN)}. Use data of these classes, or rename the folders to them"
        )
    indices: np.ndarray = np.array([known.get(normalize("NFC", each), -1) for each in own], dtype=np.int64)
    return np.asarray(indices[labels])
