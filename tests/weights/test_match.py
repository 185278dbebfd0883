"""A file's network and layout are told from names and shapes alone, or what is wrong is."""

from pathlib import Path

import pytest
import torch

from verydeep.architecture import zoo
from verydeep.models.build import build_empty
from verydeep.weights.key_maps import LAYOUTS, fully_connected
from verydeep.weights.match import Match, Near, match_network
from verydeep.weights.read import WeightFile

# As Caffe, Keras and numpy files name layers and not places, A-LRN looks like A in them.
SAME_THERE = {"vgg11-lrn": "vgg11"}


def file_of(name, layout, change=lambda tensors: None):
    """The tensors of a network in a layout, zeros that take no memory."""
    model = build_empty(zoo.resolve(name))
    ours = model.state_dict()
    tensors = {
        entry.theirs: torch.zeros(()).expand(entry.form.there(ours[entry.ours]).shape)
        for entry in layout.entries(model)
    }
    change(tensors)
    return WeightFile(Path("w"), "torch", tensors)


@pytest.mark.parametrize("name", zoo.names())
def test_every_network_of_the_zoo_in_every_layout(name):
    model = build_empty(zoo.resolve(name))
    layouts = [layout for layout in LAYOUTS if layout.entries(model)]
    assert layouts[0].name == "torchvision"
    for layout in layouts:
        found = match_network(file_of(name, layout))
        assert isinstance(found, Match)
        by_layer = layout.name in ("keras", "keras-class", "caffe", "npz")
        assert found.architecture.name == (SAME_THERE.get(name, name) if by_layer else name)
        assert found.layout is layout and found.has_head
        assert not found.missing and not found.left_over


@pytest.mark.parametrize("name", ["vgg16", "vgg19_bn", "alexnet", "resnet50"])
def test_features_alone_are_recognized_as_such(name):
    head = tuple(f"{layer}." for layer in fully_connected(build_empty(zoo.resolve(name))))

    def drop_head(tensors):
        for key in [key for key in tensors if key.startswith(head)]:
            del tensors[key]

    found = match_network(file_of(name, LAYOUTS[0], drop_head))
    assert found.architecture.name == name and not found.has_head and not found.left_over
    assert found.missing and all(key.startswith(head) for key in found.missing)


def test_a_head_of_nan_is_none():  # torchvision's VGG16_Weights.IMAGENET1K_FEATURES
    def empty(tensors):
        for key in [key for key in tensors if key.startswith("classifier")]:
            tensors[key] = torch.tensor(float("nan")).expand(tensors[key].shape)

    found = match_network(file_of("vgg16", LAYOUTS[0], empty))
    assert not found.has_head and not found.left_over


def test_colors_classes_and_head_are_the_files_own():
    def change(tensors):
        tensors["features.0.weight"] = torch.zeros(64, 1, 3, 3)
        tensors["classifier.0.weight"] = torch.zeros(1).expand(100, 512 * 4)
        tensors["classifier.0.bias"] = torch.zeros(100)
        tensors["classifier.3.weight"] = torch.zeros(7, 100)
        tensors["classifier.3.bias"] = torch.zeros(7)
        del tensors["classifier.6.weight"], tensors["classifier.6.bias"]

    found = match_network(file_of("vgg13_bn", LAYOUTS[0], change)).architecture
    assert found.string == "64x2 M 128x2 M 256x2 M 512x2 M 512x2 M | pool2 100"
    assert (found.classes, found.input, found.norm) == (7, (1, 64, 64), "batch")


def test_the_count_of_batches_may_be_absent():  # files from before torch 0.4.1
    def drop(tensors):
        for key in [key for key in tensors if key.endswith("num_batches_tracked")]:
            del tensors[key]

    assert isinstance(match_network(file_of("resnet18", LAYOUTS[0], drop)), Match)


def test_what_is_left_over_is_named():
    def add(tensors):
        tensors["rpn.weight"] = torch.zeros(3)

    assert match_network(file_of("vgg11", LAYOUTS[0], add)).left_over == ("rpn.weight",)


def test_the_nearest_network_says_what_is_wrong():
    def damage(tensors):
        del tensors["features.10.bias"]
        tensors["features.2.weight"] = torch.zeros(64, 64, 5, 5)

    found = match_network(file_of("vgg16", LAYOUTS[0], damage))
    assert isinstance(found, Near) and found.name == "vgg16"
    assert "features.10.bias" in found.missing

    def narrow(tensors):
        tensors["features.2.bias"] = torch.zeros(63)

    assert match_network(file_of("vgg16", LAYOUTS[0], narrow)).of_another_shape == ("features.2.bias",)


def test_a_file_of_something_else_is_nothing():
    assert match_network(WeightFile(Path("w"), "torch", {"encoder.wte": torch.zeros(5, 4)})) is None


def test_a_networks_line_is_looked_for_too():
    line = zoo.resolve("4 M 6 | gap").with_input(3, 8)
    tensors = {name: torch.zeros(value.shape) for name, value in build_empty(line).state_dict().items()}
    file = WeightFile(Path("w"), "torch", tensors)
    assert match_network(file, [line]).architecture == line
    assert match_network(file) is None or isinstance(match_network(file), Near)
