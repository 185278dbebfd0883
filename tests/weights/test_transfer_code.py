"""Tuned networks leave: the printed lines rebuild them from plain torch modules, to the same logits."""

import ast
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

from tests.weights.plain_models import PlainResNet, PlainVgg, randomized
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import CAFFE, IMAGENET
from verydeep.errors import CheckpointError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.weights.export import export_weights, in_rgb
from verydeep.weights.transfer_code import python_text

A = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]
TO_RELU3_2 = "64 M 128 M 256x2 | gap"
TO_LAYER2 = "64k7s2 Mk3s2p1 (64 64)x2 (128s2 128) (128 128) | gap"
BN, RES = {"norm": "batch"}, {"norm": "batch", "conv_bias": False}


class TimmVgg(nn.Module):
    """The parts of timm's VGG: features, pre_logits, head."""

    def __init__(self, channels):
        super().__init__()
        self.features = PlainVgg(A, channels=channels).features
        self.pre_logits, self.head = nn.Identity(), nn.Identity()

    def forward(self, images):
        return self.head(self.pre_logits(self.features(images)))


class ClassifierHead(nn.Module):
    """timm's: global average pooling, then ``fc``."""

    def __init__(self, features, classes):
        super().__init__()
        self.fc = nn.Linear(features, classes)

    def forward(self, maps):
        return self.fc(maps.mean((2, 3)))


@pytest.fixture(autouse=True)
def projects(monkeypatch):
    """Modules with the names of torchvision and timm, whose networks are plain torch modules."""
    torchvision, timm = ModuleType("torchvision"), ModuleType("timm")
    torchvision.models = SimpleNamespace(
        vgg11=lambda: PlainVgg(A), vgg11_bn=lambda: PlainVgg(A, norm=True), resnet18=resnet18
    )
    timm.layers = SimpleNamespace(ClassifierHead=ClassifierHead)
    timm.create_model = lambda name, in_chans, **settings: (
        resnet18(in_chans=in_chans, **settings) if name == "resnet18" else TimmVgg(in_chans)
    )
    monkeypatch.setitem(sys.modules, "torchvision", torchvision)
    monkeypatch.setitem(sys.modules, "timm", timm)


def resnet18(*, num_classes=3, in_chans=3):
    model = PlainResNet([2, 2, 2, 2], width=64, classes=num_classes)
    model.conv1 = nn.Conv2d(in_chans, 64, 7, 2, 3, bias=False)
    return model


def tuned(architecture_string, *, preprocess=IMAGENET, channels=3, **settings):
    """A network with random weights; its last layer too."""
    architecture = Architecture.from_string(
        architecture_string, input=(channels, 32, 32), classes=4, **settings
    )
    origin = {"temperature": 1.5}
    preprocess = preprocess.for_input(channels, 32)
    return Checkpoint(randomized(build(architecture)), preprocess, ("a", "b", "c", "d"), origin)


def assert_rebuilt(network, exported):
    names = {}
    exec(exported.load_code, names)
    rgb = in_rgb(network)
    images = torch.randn(2, *network.model.architecture.input)
    with torch.no_grad():
        ours, theirs = rgb.model(images), names["model"](images)
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-4 * float(ours.std()))


@pytest.mark.parametrize(
    ("text", "settings", "name"),
    [
        (TO_RELU3_2, {}, "vgg11"),
        (TO_RELU3_2, BN, "vgg11_bn"),
        ("64 M 128 M 256x2 M | gap", {"channels": 1}, "vgg11"),
        ("64 M 128 M | pool2 8", {"preprocess": CAFFE}, "vgg11"),
        ("64 M 128 M 256x2 M 512x2 M 512x2 M | gap", {}, "vgg11"),
        (TO_LAYER2, RES, "resnet18"),
        ("64k7s2 Mk3s2p1 (64 64)x2 (128s2 128) | gap", RES, "resnet18"),
    ],
)
def test_torchvision_rebuilds_it(text, settings, name, tmp_path):
    network = tuned(text, **settings)
    exported = export_weights(network, "torchvision", tmp_path / "tuned.pth")
    assert exported.network == name
    assert exported.classes == ("a", "b", "c", "d") and exported.temperature == 1.5
    assert_rebuilt(network, exported)


@pytest.mark.parametrize(
    ("text", "settings"), [(TO_RELU3_2, {}), (TO_RELU3_2, {"channels": 1}), (TO_LAYER2, RES)]
)
def test_timm_rebuilds_it(text, settings, tmp_path):
    network = tuned(text, **settings)
    exported = export_weights(network, "timm", tmp_path / "tuned.safetensors")
    assert_rebuilt(network, exported)


@pytest.mark.parametrize("file", ["resnet18.pth", "resnet18.safetensors"])
@pytest.mark.parametrize(("project", "channels"), [("torchvision", 3), ("timm", 3), ("timm", 1)])
def test_a_network_that_the_project_has_is_built_by_its_name(project, channels, file, tmp_path):
    network = tuned(zoo.resolve("resnet18").string, channels=channels, **RES)
    exported = export_weights(network, project, tmp_path / file)
    assert exported.network == "resnet18" and "Identity" not in exported.load_code
    assert_rebuilt(network, exported)


@pytest.mark.parametrize(
    ("project", "channels", "file"),
    [("torchvision", 3, "a.safetensors"), ("torchvision", 3, "a.pth"), ("timm", 1, "a.safetensors"),
     ("timm", 3, "a.bin")],
)  # fmt: skip
def test_features_alone_are_loaded_by_the_printed_code(project, channels, file, tmp_path):
    network = replace(tuned("64 M 128 M 256x2 M 512x2 M 512x2 M | gap", channels=channels), classes=())
    names = {}
    exec(export_weights(network, project, tmp_path / file).load_code, names)
    images = torch.randn(2, channels, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(names["model"].features(images), network.model.features(images))


def test_the_code_is_a_few_lines_of_torchvision(tmp_path):
    exported = export_weights(tuned(TO_RELU3_2), "torchvision", tmp_path / "tuned.pth")
    assert exported.load_code.splitlines() == [
        "import torch, torchvision",
        "model = torchvision.models.vgg11()",
        "model.features = model.features[:10]",
        "model.avgpool = torch.nn.AdaptiveAvgPool2d(1)",
        "model.classifier = torch.nn.Sequential(torch.nn.Linear(in_features=256, out_features=4, bias=True))",
        f'model.load_state_dict(torch.load("{tmp_path}/tuned.pth"))',
        "model.eval()",
    ]


def test_a_head_that_a_project_cannot_write_is_refused_with_the_reason(tmp_path):
    with pytest.raises(CheckpointError, match="only torchvision's form can be written"):
        export_weights(tuned("64 M 128 M | pool2 8"), "timm", tmp_path / "tuned.pth")
    with pytest.raises(CheckpointError, match="or one with their first layers"):
        export_weights(tuned("8 M 16 M | gap"), "torchvision", tmp_path / "tuned.pth")
    assert not list(tmp_path.iterdir())


def test_keras_code_names_the_last_layer(tmp_path):
    code = export_weights(tuned("64x2 M 128x2 M | gap"), "keras", tmp_path / "tuned.h5").load_code
    assert 'base.get_layer("block2_pool").output' in code and "Dense(4" in code


@pytest.mark.parametrize("name", ["a.pth", r"C:\Users\new\a.pth", 'quote".pth', "고양이.pth"])
def test_a_path_in_printed_code_is_that_path(name):
    assert ast.literal_eval(python_text(Path(name))) == name
