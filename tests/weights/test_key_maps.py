"""The key maps have the published keys and shapes, and each conversion can be reversed."""

import pytest
import torch

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.models.build import build, build_empty
from verydeep.weights.key_maps import LAYOUTS

LAYOUT = {layout.name: layout for layout in LAYOUTS}
VGGS = [f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")]
STAGES = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
WIDTHS = (64, 128, 256, 512, 512)


def shapes(layout, name):
    """The keys and shapes of a network of the zoo in a layout."""
    model = build_empty(zoo.resolve(name))
    tensors = model.state_dict()
    return {
        row.file_key: tuple(row.tensor_layout.to_file(tensors[row.key]).shape)
        for row in LAYOUT[layout].key_map(model)
    }


def norm_shapes(module, width):
    keys = {f"{module}.{key}": (width,) for key in ("weight", "bias", "running_mean", "running_var")}
    return {**keys, f"{module}.num_batches_tracked": ()}


def convolutions(name):
    """Stage, number in it, inputs and outputs of each convolution: Table 1 of the paper."""
    channels = 3
    for stage, (count, width) in enumerate(
        zip(STAGES[name.removesuffix("_bn")], WIDTHS, strict=True), start=1
    ):
        for number in range(1, count + 1):
            yield stage, number, channels, width
            channels = width


@pytest.mark.parametrize("name", VGGS)
def test_keys_and_shapes_of_timm(name):  # timm/models/vgg.py: ConvMlp as pre_logits, head.fc
    expected, index = {}, 0
    for stage, number, inputs, outputs in convolutions(name):
        index += stage > 1 and number == 1  # the pool
        expected[f"features.{index}.weight"] = (outputs, inputs, 3, 3)
        expected[f"features.{index}.bias"] = (outputs,)
        if name.endswith("_bn"):
            expected |= norm_shapes(f"features.{index + 1}", outputs)
        index += 3 if name.endswith("_bn") else 2
    expected |= {
        "pre_logits.fc1.weight": (4096, 512, 7, 7), "pre_logits.fc1.bias": (4096,),
        "pre_logits.fc2.weight": (4096, 4096, 1, 1), "pre_logits.fc2.bias": (4096,),
        "head.fc.weight": (1000, 4096), "head.fc.bias": (1000,),
    }  # fmt: skip
    assert shapes("timm", name) == expected
    assert len(expected) == len(shapes("torchvision", name))


@pytest.mark.parametrize("name", VGGS)
def test_keys_and_shapes_of_mmpretrain(name):  # tools/model_converters/vgg_to_mmpretrain.py
    expected, index = {}, 0
    for stage, number, inputs, outputs in convolutions(name):
        index += stage > 1 and number == 1
        expected[f"features.{index}.conv.weight"] = (outputs, inputs, 3, 3)
        expected[f"features.{index}.conv.bias"] = (outputs,)
        if name.endswith("_bn"):
            expected |= norm_shapes(f"features.{index}.bn", outputs)
        index += 1
    for layer, (outputs, inputs) in {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}.items():
        expected |= {f"classifier.{layer}.weight": (outputs, inputs), f"classifier.{layer}.bias": (outputs,)}
    assert shapes("mmpretrain", name) == expected


def test_module_numbers_of_vgg16_in_mmpretrain():
    names = [name for name in shapes("mmpretrain", "vgg16") if name.endswith("conv.weight")]
    assert [int(name.split(".")[1]) for name in names] == [0, 1, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16]


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_keys_and_shapes_of_keras(name):  # keras/src/applications/vgg16.py, vgg19.py
    expected = {}
    for stage, number, inputs, outputs in convolutions(name):
        expected[f"block{stage}_conv{number}/kernel"] = (3, 3, inputs, outputs)
        expected[f"block{stage}_conv{number}/bias"] = (outputs,)
    expected |= {
        "fc1/kernel": (25088, 4096), "fc1/bias": (4096,), "fc2/kernel": (4096, 4096), "fc2/bias": (4096,),
        "predictions/kernel": (4096, 1000), "predictions/bias": (1000,),
    }  # fmt: skip
    assert shapes("keras", name) == expected


def test_npz_and_caffe_use_the_layer_names_of_the_paper():
    assert [name for name in shapes("npz", "vgg16") if name.endswith("_W")][-4:] == [
        "conv5_3_W", "fc6_W", "fc7_W", "fc8_W",
    ]  # fmt: skip
    assert shapes("caffe", "vgg16")["fc6.weight"] == (4096, 25088)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_mmpretrain_renames_only_the_last_layer_of_a_resnet(depth):
    torchvision = shapes("torchvision", f"resnet{depth}")
    assert shapes("mmpretrain", f"resnet{depth}") == {
        name.replace("fc.", "head.fc.") if name.startswith("fc.") else name: shape
        for name, shape in torchvision.items()
    }


NETWORKS = {
    "plain": Architecture.from_string("4x2 M 6 M | pool2 5 7", input=(3, 8, 8), classes=3),
    "norm": Architecture.from_string("4x2 M 6 M | pool2 5 7", norm="batch", input=(3, 8, 8), classes=3),
    "gap": Architecture.from_string("4 M 6 | gap", input=(3, 8, 8), classes=3),
    "residual": Architecture.from_string("4 (4 4) (6s2 6) | gap", norm="batch", input=(3, 8, 8), classes=3),
    "block": Architecture.from_string("4 (4 4) M 5 | gap 6", input=(3, 8, 8), classes=3),
}


@pytest.mark.parametrize("layout", LAYOUT)
@pytest.mark.parametrize("network", NETWORKS)
def test_the_conversion_to_a_file_and_back_changes_nothing(layout, network):
    model = build(NETWORKS[network])
    tensors = model.state_dict()
    rows = LAYOUT[layout].key_map(model)
    if not rows:
        assert network != "plain"  # every layout can hold a plain VGG
        return
    assert sorted(row.key for row in rows) == sorted(tensors)
    assert len({row.file_key for row in rows}) == len(tensors)
    for row in rows:
        converted = row.tensor_layout.from_file(row.tensor_layout.to_file(tensors[row.key]))
        assert torch.equal(converted, tensors[row.key])


def test_fc1_of_keras_has_inputs_in_the_order_height_width_channels():
    model = build(NETWORKS["plain"]).eval()
    (row,) = [row for row in LAYOUT["keras"].key_map(model) if row.file_key == "fc1/kernel"]
    kernel = row.tensor_layout.to_file(model.classifier[0].weight)
    maps = torch.randn(2, 6, 2, 2)
    channels_last = maps.permute(0, 2, 3, 1).flatten(1)  # as Keras flattens
    expected = model.classifier[0](maps.flatten(1)) - model.classifier[0].bias
    torch.testing.assert_close(channels_last @ kernel, expected)
