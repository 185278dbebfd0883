"""Networks after transfer learning load with the head that it left, and give the logits of plain modules."""

import json
from argparse import Namespace

import h5py
import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from verydeep.errors import CheckpointError
from verydeep.weight_files.keras_config import check_config
from verydeep.weights.inspect import inspect
from verydeep.weights.load import load, pretrained

from .plain_models import PlainResNet, PlainVgg, randomized

TRUNK = "8x2 M 16 M"
RESNET = "8k7s2 Mk3s2p1 (8 8)x2 (16s2 16) (16 16)"


def relative_difference(logits, expected):
    assert expected.std() > 1e-3
    return ((logits - expected).abs().max() / expected.abs().max()).item()


class Pooled(nn.Module):
    """A trunk, the global average pool, and any head under the name ``classifier``."""

    def __init__(self, features, classifier):
        super().__init__()
        self.features, self.classifier = features, classifier

    def forward(self, images):
        return self.classifier(self.features(images).mean((2, 3)))


HEADS = {
    "gap": lambda: nn.Linear(16, 5),
    "gap 7": lambda: nn.Sequential(nn.Linear(16, 7), nn.ReLU(), nn.Linear(7, 5)),
    "gap 16": lambda: nn.Sequential(
        nn.Dropout(), nn.Linear(16, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 5)
    ),
    "gap 9 7": lambda: nn.Sequential(
        nn.Linear(16, 9), nn.ReLU(), nn.Linear(9, 7), nn.ReLU(), nn.Dropout(), nn.Linear(7, 5)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", ["vgg", "vgg_bn", "resnet"])
def test_a_head_under_other_names_is_loaded(head, kind, tmp_path):
    torch.manual_seed(0)
    if kind == "resnet":
        plain, string = PlainResNet([2, 2]), RESNET
        plain.fc = HEADS[head]()
    else:
        features = PlainVgg([8, 8, "M", 16, "M"], norm=kind == "vgg_bn").features
        plain, string = Pooled(features, HEADS[head]()), TRUNK
    randomized(plain)
    torch.save({"model": plain.state_dict()}, tmp_path / "w.pth")
    loaded = pretrained(f"{string} | {head}", tmp_path / "w.pth", size=32)  # norms are not in the string
    images = torch.randn(4, 3, 32, 32)
    assert not loaded.new_layers and len(loaded.checkpoint.classes) == 5
    assert relative_difference(loaded.checkpoint.model(images), plain(images)) < 1e-4


def test_a_known_trunk_with_another_head_is_recognized_and_its_head_is_shown(tmp_path):
    widths = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]
    torch.manual_seed(0)
    plain = randomized(Pooled(PlainVgg(widths, hidden=1).features, nn.Linear(512, 5)))
    torch.save(plain.state_dict(), tmp_path / "w.pth")
    images = torch.randn(2, 3, 64, 64)
    assert relative_difference(load(tmp_path / "w.pth").model(images), plain(images)) < 1e-4
    contents = inspect(tmp_path / "w.pth")
    assert (contents.has_head, contents.classes, contents.problem) == (True, 5, "")
    assert contents.architecture_string == "64 M 128 M 256x2 M 512x2 M 512x2 M | gap"
    with torch.no_grad():
        plain.classifier.weight[0, 0] = float("nan")
    torch.save(plain.state_dict(), tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"not finite in classifier\.weight"):
        load(tmp_path / "w.pth")


@pytest.mark.parametrize("order", ["dense first", "classes first"])
def test_a_head_of_keras_is_loaded_in_the_order_of_its_shapes(order, tmp_path):
    torch.manual_seed(0)
    names = ("a_dense", "b_classes") if order == "dense first" else ("z_dense", "b_classes")
    plain = randomized(Pooled(PlainVgg([8, 8, "M", 16, "M"]).features, HEADS["gap 7"]()))
    with h5py.File(tmp_path / "w.h5", "w") as file:
        convs = [m for m in plain.features if isinstance(m, nn.Conv2d)]
        for name, conv in zip(("block1_conv1", "block1_conv2", "block2_conv1"), convs, strict=True):
            file[f"vgg/{name}/kernel"] = conv.weight.detach().permute(2, 3, 1, 0).numpy()
            file[f"vgg/{name}/bias"] = conv.bias.detach().numpy()
        for name, dense in zip(names, (plain.classifier[0], plain.classifier[2]), strict=True):
            file[f"{name}/{name}/kernel"] = dense.weight.detach().T.numpy()
            file[f"{name}/{name}/bias"] = dense.bias.detach().numpy()
    loaded = pretrained(f"{TRUNK} | gap 7", tmp_path / "w.h5", size=32)
    images = torch.randn(4, 3, 32, 32)
    assert relative_difference(loaded.checkpoint.model(images), plain(images)) < 1e-4


def test_two_heads_or_other_layers_are_no_head(tmp_path):
    features = PlainVgg([8, 8, "M", 16, "M"]).features
    for extra in ({"age": nn.Linear(16, 3)}, {"norm": nn.BatchNorm1d(16)}):
        plain = Pooled(features, nn.ModuleDict({"kind": nn.Linear(16, 5), **extra}))
        torch.save(plain.state_dict(), tmp_path / "w.pth")
        with pytest.raises(CheckpointError, match=r"unexpected tensors: classifier\.\w+\.bias"):
            pretrained(f"{TRUNK} | gap", tmp_path / "w.pth", size=32)


# Beside the network


def resnet_file(tmp_path, name="w.pth", **extra):
    plain = randomized(PlainResNet([2, 2]))
    torch.save(plain.state_dict() | extra, tmp_path / name)
    return tmp_path / name


def test_counters_losses_and_metrics_are_ignored_and_named(tmp_path):
    file = resnet_file(
        tmp_path,
        **{"train_acc.tp": torch.zeros(5, dtype=torch.int64), "val.value": torch.tensor(0.3)},
        **{"criterion.weight": torch.ones(3)},
    )
    assert not pretrained(f"{RESNET} | gap", file).new_layers
    with pytest.raises(CheckpointError, match=r"unexpected tensors: mean\. "):  # may be a normalization
        pretrained(f"{RESNET} | gap", resnet_file(tmp_path, mean=torch.zeros(3)))


@pytest.mark.parametrize("features_only", [False, True])
def test_attention_inside_the_trunk_is_another_network(features_only, tmp_path):
    file = resnet_file(tmp_path, **{"layer1.0.se.fc1.weight": torch.zeros(4, 8, 1, 1)})
    with pytest.raises(CheckpointError, match=r"others among them: layer1\.0\.se\.fc1\.weight") as caught:
        pretrained(f"{RESNET} | gap", file, features_only=features_only, classes=2)
    assert "features-only" not in str(caught.value)


@pytest.mark.slow
def test_relatives_of_resnet_are_refused_by_their_reason(tmp_path):
    plain = PlainResNet([2, 2, 2, 2], width=64)
    state = plain.state_dict()
    torch.save(state | {"conv1.weight": torch.randn(64, 3, 3, 3)}, tmp_path / "cifar.pth")
    with pytest.raises(
        CheckpointError, match=r"first convolution of 3 x 3.*--network '64 \(64 64\)x2 "
    ) as caught:
        load(tmp_path / "cifar.pth")
    string = str(caught.value).split("'")[1]
    loaded = pretrained(string, tmp_path / "cifar.pth", size=32)
    assert loaded.checkpoint.model.conv1.weight.shape == (64, 3, 3, 3) and not loaded.new_layers
    deep_stem = {name: value for name, value in state.items() if name != "conv1.weight"}
    torch.save(deep_stem | {"conv1.0.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "d.pth")
    with pytest.raises(CheckpointError, match="stem has three convolutions"):
        load(tmp_path / "d.pth")


# ONNX


def onnx_file(path, plain, names, extra=()):
    """A graph of convolutions with these names, in which norms were folded; then ``fc``."""
    nodes, initializers, tensor = [], list(extra), "images"
    modules = [module for module in plain.modules() if isinstance(module, nn.Conv2d)]
    for number, (module, (weight, bias)) in enumerate(zip(modules, names, strict=True)):
        initializers += [
            numpy_helper.from_array(module.weight.detach().numpy(), weight),
            numpy_helper.from_array(module.bias.detach().numpy(), bias),
        ]
        nodes.append(helper.make_node("Conv", [tensor, weight, bias], [f"maps{number}"]))
        nodes.append(helper.make_node("Relu", [f"maps{number}"], [f"relu{number}"]))
        tensor = f"relu{number}"
    for key, value in plain.classifier.state_dict().items():
        initializers.append(numpy_helper.from_array(value.numpy(), f"classifier.{key}"))
    graph = helper.make_graph(nodes, "g", [], [], initializers)
    path.write_bytes(helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize(
    "names",
    [
        [(f"features.{i}.weight", f"features.{i}.bias") for i in (0, 2, 5)],
        [(f"features.{i}.weight", f"features.{i}.weight_bias") for i in (0, 3, 7)],
        [(f"onnx::Conv_{i}", f"onnx::Conv_{i + 1}") for i in (93, 100, 107)],
    ],
    ids=["plain", "folded", "folded, no names"],
)
def test_an_onnx_file_of_torch_is_loaded(names, tmp_path):
    torch.manual_seed(0)
    plain = randomized(PlainVgg([8, 8, "M", 16, "M"]))
    shape = numpy_helper.from_array(np.array([-1, 64]), "val_6")  # an integer initializer is no weight
    onnx_file(tmp_path / "w.onnx", plain, names, [shape])
    loaded = pretrained(f"{TRUNK} | pool2 6 6", tmp_path / "w.onnx", size=8)
    images = torch.randn(4, 3, 8, 8)
    assert relative_difference(loaded.checkpoint.model(images), plain(images)) < 1e-4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dynamo", [True, False])
@pytest.mark.parametrize("kind", ["vgg", "vgg_bn", "resnet"])
def test_the_exporters_of_torch_write_what_is_loaded(kind, dynamo, tmp_path):
    torch.manual_seed(0)
    if kind == "resnet":
        plain, string = randomized(PlainResNet([2, 2])), f"{RESNET} | gap"
    else:
        plain, string = (
            randomized(PlainVgg([8, 8, "M", 16, "M"], norm=kind == "vgg_bn")),
            f"{TRUNK} | pool2 6 6",
        )
    images = torch.randn(4, 3, 8, 8)
    torch.onnx.export(plain, (images,), tmp_path / "w.onnx", dynamo=dynamo)
    assert onnx.load(tmp_path / "w.onnx").graph.node
    loaded = pretrained(string, tmp_path / "w.onnx", size=8)
    assert relative_difference(loaded.checkpoint.model(images), plain(images)) < 1e-4


@pytest.mark.parametrize("told", ["file name", "arch", "options"])
def test_a_resnet_with_blurred_strides_is_refused_where_its_name_tells(told, tmp_path):
    state = randomized(PlainResNet([2, 2])).state_dict()
    if told == "file name":
        saved, name = state, "resnetblur18-84f4748f.pth"
    else:
        stated = {"arch": "resnetaa50"} if told == "arch" else {"args": Namespace(model="resnetaa50")}
        saved, name = {"state_dict": state} | stated, "w.pth"
    torch.save(saved, tmp_path / name)
    with pytest.raises(CheckpointError, match=r"is a resnet(blur18|aa50) by its name or metadata"):
        pretrained(f"{RESNET} | gap", tmp_path / name)


def test_a_cifar_resnet_loads_from_the_checkpoint_of_its_training_script(tmp_path):
    """``net`` with ``module.`` before names such as ``layer2.0.shortcut.0`` and ``linear``."""
    plain = PlainResNet([2, 2], classes=10)
    plain.conv1, plain.maxpool = torch.nn.Conv2d(3, 8, 3, 1, 1, bias=False), torch.nn.Identity()
    names = {
        name: name.replace("downsample", "shortcut").replace("fc.", "linear.")
        for name in randomized(plain).state_dict()
    }
    state = {f"module.{names[name]}": value for name, value in plain.state_dict().items()}
    torch.save({"net": state, "acc": 93.0, "epoch": 5}, tmp_path / "ckpt.pth")
    loaded = pretrained("8 (8 8)x2 (16s2 16) (16 16) | gap", tmp_path / "ckpt.pth", size=16)
    images = torch.randn(2, 3, 16, 16)
    assert relative_difference(loaded.checkpoint.model(images), plain(images)) < 1e-4


# The configuration of a Keras model


def config(*layers):
    return json.dumps({"class_name": "Sequential", "config": {"layers": [
        {"class_name": kind, "config": {"name": f"layer_{number}", **values}}
        for number, (kind, values) in enumerate(layers)
    ]}})  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([("Conv2D", {"activation": "relu"}), ("GlobalMaxPooling2D", {})], "the layer GlobalMaxPooling2D"),
        ([("Rescaling", {"scale": 2})], "the layer Rescaling, .*--preprocess"),
        ([("Dense", {"activation": "tanh"})], "layer_0 with the activation tanh"),
        ([("Functional", {"layers": [{"class_name": "Lambda", "config": {}}]})], "the layer Lambda"),
    ],
)
def test_a_keras_model_with_another_layer_is_refused(layers, message, tmp_path):
    with pytest.raises(CheckpointError, match=message):
        check_config(tmp_path, config(*layers))
    check_config(tmp_path, config(("Dense", {"activation": "relu"}), ("RandomFlip", {})))
    for nothing in ("", "[" * 100_000, "3", '{"layers": {"a": 1}}'):
        check_config(tmp_path, nothing)


CONV, DENSE = ("Conv2D", {"activation": "relu"}), ("Dense", {"activation": "softmax"})
HIDDEN = ("Conv2D", {"activation": "linear"})


@pytest.mark.parametrize("activation", ["sigmoid", "softmax", "linear", None])
@pytest.mark.parametrize("kind", ["Conv2D", "Dense"])
def test_a_hidden_layer_of_keras_without_relu_is_refused(kind, activation, tmp_path):
    given = config(CONV, (kind, {"activation": activation}), ("BatchNormalization", {}), DENSE)
    message = f"hidden layer layer_1 with the activation {activation or 'linear'}"
    with pytest.raises(CheckpointError, match=message):
        check_config(tmp_path, given)


@pytest.mark.parametrize(
    "function", [("ReLU", {}), ("ReLU", {"max_value": None}), ("Activation", {"activation": "relu"})]
)
def test_a_hidden_layer_of_keras_may_have_relu_as_a_layer_of_its_own(function, tmp_path):
    check_config(tmp_path, config(HIDDEN, ("BatchNormalization", {}), function, DENSE))
    inside = ("Sequential", {"layers": [{"class_name": HIDDEN[0], "config": HIDDEN[1]}]})
    check_config(tmp_path, config(inside, function, DENSE, ("Activation", {"activation": "sigmoid"})))
    with pytest.raises(CheckpointError, match="with the activation linear"):
        check_config(tmp_path, config(inside, DENSE))


def test_a_relu_of_keras_with_a_ceiling_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"layer_0 with the activation ReLU\(max_value=6\)"):
        check_config(tmp_path, config(HIDDEN, ("ReLU", {"max_value": 6}), DENSE))
