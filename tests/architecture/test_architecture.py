"""Changed classes, images and norm of an architecture."""

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
def test_the_grid_of_the_head_is_at_most_the_size_of_the_map(size, head):
    assert zoo.resolve("vgg16").with_input(3, size).head == head


def test_a_changed_head_has_a_note():
    assert zoo.resolve("vgg16").with_input(3, 224).notes == ()
    (note,) = zoo.resolve("vgg16").with_input(1, 32).notes
    assert note == (
        "32 x 32 images give a last feature map of 1 x 1: the head is `gap` instead of `pool7 4096 4096`"
    )


def test_options_change_what_is_given_and_nothing_else():
    vgg16 = zoo.resolve("vgg16")
    assert vgg16.with_options() == vgg16
    assert vgg16.with_options(channels=1).input == (1, 224, 224)
    assert vgg16.with_options(size=288).input == (3, 288, 288)
    changed = vgg16.with_options(channels=1, size=256, classes=10, batch_norm=True)
    assert (changed.name, changed.input, changed.classes) == ("vgg16_bn", (1, 256, 256), 10)


@pytest.mark.parametrize(("name", "smallest"), [("vgg11", 32), ("vgg19", 32), ("alexnet", 63), ("vgg8b", 16)])
def test_the_error_names_the_smallest_size(
    name, smallest
):  # torchvision's own `min_size`: VGG 32, AlexNet 63
    zoo.resolve(name).with_input(3, smallest)
    with pytest.raises(ShapeError, match=f"needs at least {smallest} x {smallest} px"):
        zoo.resolve(name).with_input(3, smallest - 1)


def test_images_need_not_be_square():
    assert zoo.resolve("vgg16").with_input(3, (224, 320)).map_shape == (512, 7, 10)
    assert zoo.resolve("vgg16").with_input(3, (64, 320)).head.grid == 2


def test_channels_that_do_not_divide_into_groups_are_an_error_at_any_size():
    with pytest.raises(ShapeError, match="3-channel images of any size"):
        Architecture.from_string("8g2 | gap")


def test_values_out_of_range_are_an_error():
    for settings in ({"classes": 0}, {"input": (0, 8, 8)}, {"dropout": 1.0}):
        with pytest.raises(ArchitectureError):
            Architecture.from_string("8 M | gap", **settings)
