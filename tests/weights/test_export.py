"""Exported files have the keys that other projects expect, and load again with equal weights."""

import h5py
import pytest
import torch

from verydeep.architecture import zoo
from verydeep.architecture.preprocess import CAFFE, CAFFE_RGB, IMAGENET
from verydeep.errors import CheckpointError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.weights.class_names import numbered_classes
from verydeep.weights.export import export_weights, in_rgb, keras_mode
from verydeep.weights.load import load
from verydeep.weights.projects import NETWORKS


def trained(name, preprocess=IMAGENET, *, classes=3):
    torch.manual_seed(0)
    model = build(zoo.resolve(name).with_classes(classes)).eval()
    return Checkpoint(model, preprocess, numbered_classes(classes))


def equal(first, second):
    return first.state_dict().keys() == second.state_dict().keys() and all(
        torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items()
    )


@pytest.mark.parametrize(
    ("project", "file"),
    [
        ("torchvision", "w.pth"),
        ("torchvision", "w.safetensors"),
        ("timm", "w.safetensors"),
        ("timm", "w.bin"),
    ],
)
def test_an_exported_resnet_loads_again(project, file, tmp_path):
    network = trained("resnet18")
    exported = export_weights(network, project, tmp_path / file)
    assert (exported.tensors, exported.network) == (122, "resnet18")
    loaded = load(tmp_path / file)
    assert equal(network.model, loaded.model) and loaded.preprocess == network.preprocess


@pytest.mark.parametrize(("project", "file"), [("timm", "w.safetensors"), ("keras", "w.h5")])
def test_features_are_exported_without_a_head(project, file, tmp_path):
    architecture = zoo.Architecture.from_string("64x2 M 128x2 M 256x3 M 512x3 M 512x3 M | gap", classes=1)
    network = Checkpoint(build(architecture).eval(), IMAGENET, ())
    exported = export_weights(network, project, tmp_path / file)
    assert exported.tensors == 26
    loaded = load(tmp_path / file)
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(loaded.model.features(images), network.model.features(images))


def test_a_keras_file_has_the_attributes_of_keras(tmp_path):
    architecture = zoo.Architecture.from_string("64x2 M 128x2 M 256x3 M 512x3 M 512x3 M | gap", classes=1)
    export_weights(Checkpoint(build(architecture), CAFFE, ()), "keras", tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as file:
        assert list(file.attrs["layer_names"])[:2] == ["block1_conv1", "block1_conv2"]
        names = file["block1_conv1"].attrs["weight_names"]
        assert list(names) == ["block1_conv1/kernel:0", "block1_conv1/bias:0"]
        assert file["block1_conv1"][names[0]].shape == (3, 3, 3, 64)


def test_a_bgr_network_is_converted_to_rgb():
    network = trained("resnet18", CAFFE)
    rgb = in_rgb(network)
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(rgb.model(images.flip(1)), network.model(images), atol=1e-5, rtol=1e-5)
    assert rgb.preprocess.order == "rgb" and rgb.preprocess.mean == CAFFE.mean[::-1]
    assert in_rgb(rgb) is rgb


@pytest.mark.parametrize(
    ("name", "project", "file", "message"),
    [
        ("vgg-tiny", "torchvision", "w.pth", "torchvision has no network '24 M 64 M 128 M"),
        ("resnet18", "keras", "w.h5", r"keras has no network .*\. Export one of vgg16, vgg19"),
        ("resnet18", "torchvision", "w.h5", "not a file name that torchvision loads. Use the suffix .pth"),
    ],
)
def test_an_unsupported_export_is_refused(name, project, file, message, tmp_path):
    with pytest.raises(CheckpointError, match=message):
        export_weights(trained(name), project, tmp_path / file)
    assert not list(tmp_path.iterdir())


def test_a_head_that_needs_a_pool_is_refused_for_keras(tmp_path):
    small = zoo.Architecture.from_string(
        "64x2 M 128x2 M 256x3 M 512x3 M 512x3 M | pool2 4 4", classes=2, input=(3, 32, 32)
    )
    with pytest.raises(CheckpointError, match="keras has no network"):
        export_weights(Checkpoint(build(small), IMAGENET, ("a", "b")), "keras", tmp_path / "w.h5")


def test_every_exportable_network_is_in_the_zoo():
    for names in NETWORKS.values():
        assert set(names) <= set(zoo.names())


def test_the_mode_of_keras_preprocess_input():
    assert (keras_mode(CAFFE), keras_mode(IMAGENET), keras_mode(CAFFE_RGB)) == ("caffe", "torch", None)
    assert keras_mode(CAFFE.for_input(3, 32)) == keras_mode(CAFFE.with_fit("pad")) == "caffe"


@pytest.mark.slow
@pytest.mark.parametrize("project", ["torchvision", "timm"])
def test_an_exported_vgg_loads_again(project, tmp_path):
    network = trained("vgg11_bn")
    exported = export_weights(network, project, tmp_path / "w.safetensors")
    assert exported.tensors == 62  # as in the files of torchvision and timm
    loaded = load(tmp_path / "w.safetensors")
    assert loaded.model.architecture.name == "vgg11_bn" and equal(network.model, loaded.model)
