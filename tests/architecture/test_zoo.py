"""The model zoo: every row can be parsed, and every alias resolves to its network."""

import pytest

from verydeep.architecture import zoo
from verydeep.errors import ArchitectureError


@pytest.mark.parametrize("row", zoo.ROWS, ids=lambda row: row.name)
def test_each_string_is_already_in_its_shortest_form(row):
    assert row.architecture.string == row.architecture_string
    assert row.architecture.name == row.name
    assert row.paper and row.table


def test_names_are_unique_and_complete():
    assert len(set(zoo.names())) == len(zoo.names())
    expected = {f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")}
    expected |= {
        "vgg11-lrn",
        "vgg16-1x1",
        "alexnet",
        "alexnet-2012",
        "vgg-tiny",
        "vgg-mini",
        "vgg-small",
        "vgg-medium",
        "vgg8b",
    }
    expected |= {f"{kind}{depth}" for kind in ("plain", "resnet") for depth in (18, 34, 20, 32, 44, 56, 110)}
    expected |= {"resnet50", "resnet101", "resnet152"}
    assert set(zoo.names()) == expected


@pytest.mark.parametrize(
    ("letter", "name"),
    [
        ("A", "vgg11"),
        ("A-LRN", "vgg11-lrn"),
        ("B", "vgg13"),
        ("C", "vgg16-1x1"),
        ("D", "vgg16"),
        ("E", "vgg19"),
    ],
)
def test_the_papers_letters(letter, name):  # Simonyan and Zisserman 2014, Table 1
    assert zoo.resolve(letter) == zoo.resolve(name)


@pytest.mark.parametrize("name", ["vgg16_bn", "VGG16_BN", "vgg16-bn", "D_bn"])
def test_batch_norm_after_any_name(name):
    assert zoo.resolve(name).norm == "batch"
    assert zoo.resolve(name).string == zoo.resolve("vgg16").string


@pytest.mark.parametrize("n", [3, 5, 7, 9, 18])
def test_cifar_networks_have_6n_plus_2_layers(n):  # He et al. 2015, section 4.2
    depth = 6 * n + 2
    plain, residual = zoo.resolve(f"plain{depth}"), zoo.resolve(f"resnet{depth}")
    assert len(plain.layers) + 1 == depth
    assert sum(len(getattr(layer, "convs", [layer])) for layer in residual.layers) + 1 == depth


@pytest.mark.parametrize("depth", [18, 34, 20, 32, 44, 56, 110])
def test_a_plain_network_is_its_residual_twin_without_brackets(depth):
    residual = zoo.resolve(f"resnet{depth}")
    convs = [conv for layer in residual.layers for conv in getattr(layer, "convs", [layer])]
    assert tuple(convs) == zoo.resolve(f"plain{depth}").layers


def test_an_architecture_string_works_like_a_name():
    assert zoo.resolve("64x2 M 128x2 M | gap").string == "64x2 M 128x2 M | gap"


def test_the_error_for_an_unknown_name_has_similar_names():
    with pytest.raises(ArchitectureError, match=r"no network named 'vgg15'.*Did you mean vgg1"):
        zoo.resolve("vgg15")
    with pytest.raises(ArchitectureError, match="has no head"):
        zoo.resolve("64x2 M")
