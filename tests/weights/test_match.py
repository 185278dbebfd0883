"""The network and the layout of a file are recognized by keys and shapes alone."""

from pathlib import Path

import pytest
import torch

from verydeep.architecture import zoo
from verydeep.models.build import build_empty
from verydeep.weight_files.read import WeightFile
from verydeep.weights.compare import Match, PartialMatch
from verydeep.weights.key_maps import LAYOUTS, fully_connected
from verydeep.weights.match import match_network

# Caffe, Keras and npz files name layers without their index, so that A-LRN equals A in them.
EQUAL_NETWORK = {"vgg11-lrn": "vgg11"}


def file_of(name, layout, change=lambda tensors: None):
    """The tensors of a network in a layout, as zeros that take no memory."""
    model = build_empty(zoo.resolve(name))
    state = model.state_dict()
    tensors = {
        row.file_key: torch.zeros(()).expand(row.tensor_layout.to_file(state[row.key]).shape)
        for row in layout.key_map(model)
    }
    change(tensors)
    return WeightFile(Path("w"), "torch", tensors)


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_every_network_of_the_zoo_in_every_layout(name):
    model = build_empty(zoo.resolve(name))
    layouts = [layout for layout in LAYOUTS if layout.key_map(model)]
    assert layouts[0].name == "torchvision"
    for layout in layouts:
        match = match_network(file_of(name, layout))
        assert isinstance(match, Match)
        by_layer = layout.name in ("keras", "keras-class", "caffe", "npz")
        assert match.architecture.name == (EQUAL_NETWORK.get(name, name) if by_layer else name)
        assert match.layout is layout and match.has_head
        assert not match.missing and not match.unexpected


@pytest.mark.parametrize("name", ["vgg16", "vgg19_bn", "alexnet", "resnet50"])
def test_features_without_a_head_are_recognized(name):
    head = tuple(f"{layer}." for layer in fully_connected(build_empty(zoo.resolve(name))))

    def drop_head(tensors):
        for key in [key for key in tensors if key.startswith(head)]:
            del tensors[key]

    match = match_network(file_of(name, LAYOUTS[0], drop_head))
    assert match.architecture.name == name and not match.has_head and not match.unexpected
    assert match.missing and all(key.startswith(head) for key in match.missing)


def test_a_head_of_nan_counts_as_missing():  # torchvision's VGG16_Weights.IMAGENET1K_FEATURES
    def set_head_to_nan(tensors):
        for key in [key for key in tensors if key.startswith("classifier")]:
            tensors[key] = torch.tensor(float("nan")).expand(tensors[key].shape)

    match = match_network(file_of("vgg16", LAYOUTS[0], set_head_to_nan))
    assert not match.has_head and not match.unexpected


def test_channels_classes_and_head_are_read_from_the_file():
    def change(tensors):
        tensors["features.0.weight"] = torch.zeros(64, 1, 3, 3)
        tensors["classifier.0.weight"] = torch.zeros(1).expand(100, 512 * 4)
        tensors["classifier.0.bias"] = torch.zeros(100)
        tensors["classifier.3.weight"] = torch.zeros(7, 100)
        tensors["classifier.3.bias"] = torch.zeros(7)
        del tensors["classifier.6.weight"], tensors["classifier.6.bias"]

    architecture = match_network(file_of("vgg13_bn", LAYOUTS[0], change)).architecture
    assert architecture.string == "64x2 M 128x2 M 256x2 M 512x2 M 512x2 M | pool2 100"
    assert (architecture.classes, architecture.input, architecture.norm) == (7, (1, 64, 64), "batch")


def test_the_count_of_batches_may_be_missing():  # files from before torch 0.4.1
    def drop(tensors):
        for key in [key for key in tensors if key.endswith("num_batches_tracked")]:
            del tensors[key]

    assert isinstance(match_network(file_of("resnet18", LAYOUTS[0], drop)), Match)


def test_unexpected_keys_are_named():
    def add(tensors):
        tensors["rpn.weight"] = torch.zeros(3)

    assert match_network(file_of("vgg11", LAYOUTS[0], add)).unexpected == ("rpn.weight",)


def test_the_closest_network_lists_the_differences():
    def damage(tensors):
        del tensors["features.10.bias"]
        tensors["features.2.weight"] = torch.zeros(64, 64, 5, 5)

    match = match_network(file_of("vgg16", LAYOUTS[0], damage))
    assert isinstance(match, PartialMatch) and match.name == "vgg16"
    assert "features.10.bias" in match.missing

    def narrow(tensors):
        tensors["features.2.bias"] = torch.zeros(63)

    assert match_network(file_of("vgg16", LAYOUTS[0], narrow)).wrong_shape == ("features.2.bias",)


def test_a_file_of_an_unrelated_network_has_no_match():
    assert match_network(WeightFile(Path("w"), "torch", {"encoder.wte": torch.zeros(5, 4)})) is None


def test_a_given_architecture_is_matched_too():
    architecture = zoo.resolve("4 M 6 | gap").with_input(3, 8)
    tensors = {
        name: torch.zeros(value.shape) for name, value in build_empty(architecture).state_dict().items()
    }
    file = WeightFile(Path("w"), "torch", tensors)
    assert match_network(file, [architecture]).architecture == architecture
    assert match_network(file) is None or isinstance(match_network(file), PartialMatch)
