"""Labels of a data set get the indices of the network's classes, by name."""

import numpy as np
import pytest

from verydeep.errors import DataError
from verydeep.evaluate.network_labels import network_labels


def test_labels_are_matched_to_a_networks_classes_by_name():
    labels = np.array([0, 2, 2])
    # the network may lack "b", which has no images
    assert network_labels(labels, ("a", "b", "c"), ("c", "x", "a"), "data").tolist() == [2, 0, 0]
    with pytest.raises(DataError, match="data has images of c; the network's classes are a, b"):
        network_labels(labels, ("a", "b", "c"), ("a", "b"), "data")


def test_class_names_are_matched_in_composed_form():
    labels = np.array([1, 0])
    assert network_labels(labels, ("caf\u00e9", "dog"), ("dog", "cafe\u0301"), "data").tolist() == [0, 1]
