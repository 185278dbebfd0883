"""The comparison of networks, against the numbers of the papers."""

import pytest

from verydeep.analyze.compare import compare
from verydeep.analyze.published_accuracy import PUBLISHED, published
from verydeep.architecture import zoo


def one(name):
    (row,) = compare([zoo.resolve(name)])
    return row


@pytest.mark.parametrize(
    ("name", "layers"),
    [("A", 11), ("B", 13), ("C", 16), ("D", 16), ("E", 19), ("vgg16_bn", 16), ("alexnet", 8),
     *((f"resnet{depth}", depth) for depth in (18, 34, 50, 101, 152, 20, 32, 44, 56, 110)),
     ("plain34", 34), ("plain110", 110)],
)  # fmt: skip
def test_depth_is_the_number_in_the_papers_name(name, layers):
    assert one(name).depth == layers


def test_a_row_has_the_counts_of_the_trace():
    row = one("vgg16")
    assert (row.parameters, row.macs, row.activations) == (138_357_544, 15_470_264_320, 15_087_080)
    assert row.receptive_field == 196


def test_published_accuracies_name_networks_of_the_zoo_once_a_source():
    assert {row.network for row in PUBLISHED} <= set(zoo.names())
    assert len({(row.network, row.protocol, row.source) for row in PUBLISHED}) == len(PUBLISHED)
    assert all(0 < row.top1 < (row.top5 or 100) < 100.1 for row in PUBLISHED)


def test_papers_errors_are_turned_into_accuracies():
    paper = {row.network: row for row in PUBLISHED if "1409.1556" in row.source}
    errors = {
        "vgg11": 29.6,
        "vgg11-lrn": 29.7,
        "vgg13": 28.7,
        "vgg16-1x1": 28.1,
        "vgg16": 27.0,
        "vgg19": 27.3,
    }
    assert {name: round(100 - row.top1, 1) for name, row in paper.items()} == errors  # Table 3, S = 256
    assert [row.top1 for row in published("vgg16")] == [71.592, 73.0]


def test_networks_without_published_accuracies_have_none():
    assert one("vgg-tiny").published == one("64 M | gap").published == ()


def test_an_accuracy_is_that_of_the_published_images_and_classes():
    vgg16 = zoo.resolve("vgg16")
    same, smaller, fewer = compare(
        [vgg16.with_options(size=224), vgg16.with_options(size=64), vgg16.with_classes(10)]
    )
    assert same.published == published("vgg16")
    assert smaller.published == fewer.published == ()
