"""Layer names are those of the papers."""

import pytest

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import derived_name, fc_names, grid_name, layer_names, stage_starts

NAMES_OF_RESNET20 = [
    f"{row}{stage}_{block}{conv}"
    for stage in (2, 3, 4)
    for block in (1, 2, 3)
    for row, conv in (("conv", "_1"), ("bn", "_1"), ("conv", "_2"), ("bn", "_2"), ("conv", "_project"),
                      ("bn", "_project"), ("add", ""))
    if conv != "_project" or (stage > 2 and block == 1)
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vgg11", "conv1_1 pool1 conv2_1 pool2 conv3_1 conv3_2 pool3 conv4_1 conv4_2 pool4 "
                  "conv5_1 conv5_2 pool5 fc6 fc7 fc8"),
        ("alexnet-2012", "conv1 norm1 pool1 conv2 norm2 pool2 conv3 conv4 conv5 pool5 fc6 fc7 fc8"),
        ("vgg-tiny", "conv1_1 pool1 bn1_1 conv2_1 pool2 bn2_1 conv3_1 pool3 bn3_1 fc4 fc5"),
        ("resnet20", "conv1 bn1 " + " ".join(NAMES_OF_RESNET20) + " gap fc"),
    ],
)  # fmt: skip
def test_names_are_the_papers(name, expected):
    assert " ".join(row.name for row in trace(zoo.resolve(name)).layers) == expected


def test_names_of_resnet():
    names = [row.name for row in trace(zoo.resolve("resnet18")).layers]
    assert names[:8] == ["conv1", "bn1", "pool1", "conv2_1_1", "bn2_1_1", "conv2_1_2", "bn2_1_2", "add2_1"]
    assert "conv3_1_project" in names and "conv2_1_project" not in names


@pytest.mark.parametrize("name", zoo.names())
def test_names_are_unique_within_a_network(name):
    names = [row.name for row in trace(zoo.resolve(name)).layers]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        ("8 M M 8 M | gap", "conv1_1 pool1 pool1_2 conv2_1 pool2"),
        ("8 L 8 L M | gap", "conv1_1 norm1 conv1_2 norm1_2 pool1"),
        ("8 Mk3s2 Mk3s2 8 | gap", "conv1 pool1 pool1_2 conv2"),
    ],
)
def test_a_second_pool_or_norm_in_a_stage_has_its_own_name(string, expected):
    assert " ".join(layer_names(Architecture.from_string(string))) == expected


def test_names_of_the_head():
    vgg16, resnet50 = zoo.resolve("vgg16"), zoo.resolve("resnet50")
    assert (grid_name(vgg16), fc_names(vgg16)) == ("avgpool7", ("fc6", "fc7", "fc8"))
    assert (grid_name(resnet50), fc_names(resnet50)) == ("gap", ("fc",))


def test_a_norm_or_relu_has_the_number_of_its_layer():
    assert [derived_name("conv3_2", "relu"), derived_name("fc6", "relu"), derived_name("conv1", "bn")] == [
        "relu3_2", "relu6", "bn1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "first_layers"),
    [
        ("vgg16", ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")),
        ("resnet50", ("conv1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")),  # the table's conv2_x to conv5_x
        ("plain34", ("conv1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")),
        ("alexnet", ("conv1", "conv2", "conv3")),
    ],
)
def test_stages_start_as_in_the_papers(name, first_layers):
    architecture = zoo.resolve(name)
    names = layer_names(architecture)
    assert tuple(names[start] for start in stage_starts(architecture)) == first_layers
