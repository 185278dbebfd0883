"""What is written for others is what they expect, and comes back the same."""

import h5py
import pytest
import torch

from verydeep.architecture import zoo
from verydeep.architecture.preprocess import CAFFE, CAFFE_RGB, IMAGENET
from verydeep.errors import CheckpointError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.weights.export import NETWORKS, export_weights, in_rgb, keras_mode
from verydeep.weights.load import load
from verydeep.weights.preprocessing import numbered_classes


def trained(name, preprocess=IMAGENET, *, classes=3):
    torch.manual_seed(0)
    model = build(zoo.resolve(name).with_classes(classes)).eval()
    return Checkpoint(model, preprocess, numbered_classes(classes))


def equal(ours, theirs):
    return ours.state_dict().keys() == theirs.state_dict().keys() and all(
        torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items()
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
def test_a_resnet_goes_out_and_comes_back(project, file, tmp_path):
    network = trained("resnet18")
    exported = export_weights(network, project, tmp_path / file)
    assert (exported.tensors, exported.network) == (122, "resnet18")
    back = load(tmp_path / file)
    assert equal(network.model, back.model) and back.preprocess == network.preprocess


@pytest.mark.parametrize(("project", "file"), [("timm", "w.safetensors"), ("keras", "w.h5")])
def test_features_go_out_alone(project, file, tmp_path):
    line = zoo.Architecture.from_string("64x2 M 128x2 M 256x3 M 512x3 M 512x3 M | gap", classes=1)
    network = Checkpoint(build(line).eval(), IMAGENET, ())
    exported = export_weights(network, project, tmp_path / file)
    assert exported.tensors == 26
    back = load(tmp_path / file)
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(back.model.features(images), network.model.features(images))


def test_keras_finds_its_attributes(tmp_path):
    line = zoo.Architecture.from_string("64x2 M 128x2 M 256x3 M 512x3 M 512x3 M | gap", classes=1)
    export_weights(Checkpoint(build(line), CAFFE, ()), "keras", tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as file:
        assert list(file.attrs["layer_names"])[:2] == ["block1_conv1", "block1_conv2"]
        names = file["block1_conv1"].attrs["weight_names"]
        assert list(names) == ["block1_conv1/kernel:0", "block1_conv1/bias:0"]
        assert file["block1_conv1"][names[0]].shape == (3, 3, 3, 64)


def test_bgr_is_turned_for_who_feeds_rgb():
    network = trained("resnet18", CAFFE)
    turned = in_rgb(network)
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(turned.model(images.flip(1)), network.model(images), atol=1e-5, rtol=1e-5)
    assert turned.preprocess.order == "rgb" and turned.preprocess.mean == CAFFE.mean[::-1]
    assert in_rgb(turned) is turned


@pytest.mark.parametrize(
    ("name", "project", "file", "said"),
    [
        ("vgg-tiny", "torchvision", "w.pth", "torchvision has no network '24 M 64 M 128 M"),
        ("resnet18", "keras", "w.h5", "keras has no network .* it has vgg16, vgg19"),
        ("resnet18", "torchvision", "w.h5", "no name for a file that torchvision loads; end it in .pth"),
    ],
)
def test_what_the_other_has_not_is_refused(name, project, file, said, tmp_path):
    with pytest.raises(CheckpointError, match=said):
        export_weights(trained(name), project, tmp_path / file)
    assert not list(tmp_path.iterdir())


def test_keras_has_no_pool_that_fits_the_map_to_the_head(tmp_path):
    small = zoo.Architecture.from_string(
        "64x2 M 128x2 M 256x3 M 512x3 M 512x3 M | pool2 4 4", classes=2, input=(3, 32, 32)
    )
    with pytest.raises(CheckpointError, match="keras has no network"):
        export_weights(Checkpoint(build(small), IMAGENET, ("a", "b")), "keras", tmp_path / "w.h5")


def test_every_network_that_is_named_is_in_the_zoo():
    for names in NETWORKS.values():
        assert set(names) <= set(zoo.names())


def test_keras_preprocessing_has_a_mode_or_none():
    assert (keras_mode(CAFFE), keras_mode(IMAGENET), keras_mode(CAFFE_RGB)) == ("caffe", "torch", None)
    assert keras_mode(CAFFE.for_input(3, 32)) == "caffe"


@pytest.mark.slow
@pytest.mark.parametrize("project", ["torchvision", "timm"])
def test_a_whole_vgg_goes_out_and_comes_back(project, tmp_path):
    network = trained("vgg11_bn")
    exported = export_weights(network, project, tmp_path / "w.safetensors")
    assert exported.tensors == 62  # as torchvision's and timm's own
    back = load(tmp_path / "w.safetensors")
    assert back.model.architecture.name == "vgg11_bn" and equal(network.model, back.model)
