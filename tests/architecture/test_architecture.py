"""Other classes, other images, batch norm: an architecture and its neighbors."""

import pytest

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Head
from verydeep.errors import ArchitectureError, ShapeError


def test_with_classes_changes_nothing_else():
    vgg16 = zoo.resolve("vgg16")
    ten = vgg16.with_classes(10)
    assert (ten.classes, ten.string, ten.input) == (10, vgg16.string, vgg16.input)


def test_with_batch_norm_names_the_network_as_torchvision_does():
    vgg16 = zoo.resolve("vgg16").with_batch_norm()
    assert (vgg16.name, vgg16.norm) == ("vgg16_bn", "batch")
    assert vgg16.with_batch_norm() == vgg16 == zoo.resolve("vgg16_bn")


def test_without_a_norm_every_convolution_has_a_bias():
    plain = zoo.resolve("resnet18").with_norm("none")
    assert (plain.norm, plain.conv_bias) == ("none", True)
    assert zoo.resolve("vgg16_bn").with_norm("none") == zoo.resolve("vgg16")
    assert zoo.resolve("vgg16").with_norm("batch-after-pool").norm == "batch-after-pool"


@pytest.mark.parametrize(
    ("size", "head"),
    [(224, Head(7, (4096, 4096))), (288, Head(7, (4096, 4096))), (192, Head(6, (4096, 4096))), (32, Head())],
)
def test_the_head_never_pools_to_more_than_the_map_has(size, head):
    assert zoo.resolve("vgg16").with_input(3, size).head == head


def test_a_changed_head_is_said():
    assert zoo.resolve("vgg16").with_input(3, 224).notes == ()
    (note,) = zoo.resolve("vgg16").with_input(1, 32).notes
    assert note == "32 x 32 images leave a map of 1 x 1: the head is `gap` in place of `pool7 4096 4096`"


@pytest.mark.parametrize(("name", "least"), [("vgg11", 32), ("vgg19", 32), ("alexnet", 63), ("vgg8b", 16)])
def test_the_least_size_is_named(name, least):  # torchvision's own `min_size`: VGG 32, AlexNet 63
    zoo.resolve(name).with_input(3, least)
    with pytest.raises(ShapeError, match=f"needs at least {least} px a side"):
        zoo.resolve(name).with_input(3, least - 1)


def test_images_need_not_be_square():
    assert zoo.resolve("vgg16").with_input(3, (224, 320)).map_shape == (512, 7, 10)
    assert zoo.resolve("vgg16").with_input(3, (64, 320)).head.grid == 2


def test_channels_that_no_size_can_mend_are_refused():
    with pytest.raises(ShapeError, match="3-channel images of any size"):
        Architecture.from_string("8g2 | gap")


def test_values_no_network_can_have_are_refused():
    line = "8 M | gap"
    for settings in ({"classes": 0}, {"input": (0, 8, 8)}, {"dropout": 1.0}):
        with pytest.raises(ArchitectureError):
            Architecture.from_string(line, **settings)
