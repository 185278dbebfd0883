"""The key maps against the published lists of names and shapes, and each map back and forth."""

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
    """The names and shapes of a network of the zoo in a layout."""
    model = build_empty(zoo.resolve(name))
    ours = model.state_dict()
    return {
        entry.theirs: tuple(entry.form.there(ours[entry.ours]).shape)
        for entry in LAYOUT[layout].entries(model)
    }


def norm_shapes(at, width):
    keys = {f"{at}.{key}": (width,) for key in ("weight", "bias", "running_mean", "running_var")}
    return {**keys, f"{at}.num_batches_tracked": ()}


def convolutions(name):
    """Stage, place in it, inputs, outputs of each convolution: Table 1 of the paper."""
    channels = 3
    for stage, (count, width) in enumerate(
        zip(STAGES[name.removesuffix("_bn")], WIDTHS, strict=True), start=1
    ):
        for place in range(1, count + 1):
            yield stage, place, channels, width
            channels = width


@pytest.mark.parametrize("name", VGGS)
def test_timm_names_and_shapes(name):  # timm/models/vgg.py: ConvMlp as pre_logits, head.fc
    expected, index = {}, 0
    for stage, place, inputs, outputs in convolutions(name):
        index += stage > 1 and place == 1  # the pool
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
def test_mmpretrain_names_and_shapes(name):  # tools/model_converters/vgg_to_mmpretrain.py
    expected, index = {}, 0
    for stage, place, inputs, outputs in convolutions(name):
        index += stage > 1 and place == 1
        expected[f"features.{index}.conv.weight"] = (outputs, inputs, 3, 3)
        expected[f"features.{index}.conv.bias"] = (outputs,)
        if name.endswith("_bn"):
            expected |= norm_shapes(f"features.{index}.bn", outputs)
        index += 1
    for layer, (outputs, inputs) in {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}.items():
        expected |= {f"classifier.{layer}.weight": (outputs, inputs), f"classifier.{layer}.bias": (outputs,)}
    assert shapes("mmpretrain", name) == expected


def test_mmpretrain_counts_vgg16s_modules_as_published():
    names = [name for name in shapes("mmpretrain", "vgg16") if name.endswith("conv.weight")]
    assert [int(name.split(".")[1]) for name in names] == [0, 1, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16]


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_keras_names_and_shapes(name):  # keras/src/applications/vgg16.py, vgg19.py
    expected = {}
    for stage, place, inputs, outputs in convolutions(name):
        expected[f"block{stage}_conv{place}/kernel"] = (3, 3, inputs, outputs)
        expected[f"block{stage}_conv{place}/bias"] = (outputs,)
    expected |= {
        "fc1/kernel": (25088, 4096), "fc1/bias": (4096,), "fc2/kernel": (4096, 4096), "fc2/bias": (4096,),
        "predictions/kernel": (4096, 1000), "predictions/bias": (1000,),
    }  # fmt: skip
    assert shapes("keras", name) == expected


def test_the_npz_and_caffe_names_are_the_papers():
    assert [name for name in shapes("npz", "vgg16") if name.endswith("_W")][-4:] == [
        "conv5_3_W", "fc6_W", "fc7_W", "fc8_W",
    ]  # fmt: skip
    assert shapes("caffe", "vgg16")["fc6.weight"] == (4096, 25088)


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_of_a_resnet_only_mmpretrain_renames_the_classes(depth):
    ours, theirs = shapes("torchvision", f"resnet{depth}"), shapes("mmpretrain", f"resnet{depth}")
    assert theirs == {name.replace("fc.", "head.fc.") if name.startswith("fc.") else name: shape
                      for name, shape in ours.items()}  # fmt: skip


NETWORKS = {
    "plain": Architecture.from_string("4x2 M 6 M | pool2 5 7", input=(3, 8, 8), classes=3),
    "norm": Architecture.from_string("4x2 M 6 M | pool2 5 7", norm="batch", input=(3, 8, 8), classes=3),
    "gap": Architecture.from_string("4 M 6 | gap", input=(3, 8, 8), classes=3),
    "residual": Architecture.from_string("4 (4 4) (6s2 6) | gap", norm="batch", input=(3, 8, 8), classes=3),
    "block": Architecture.from_string("4 (4 4) M 5 | gap 6", input=(3, 8, 8), classes=3),
}


@pytest.mark.parametrize("layout", LAYOUT)
@pytest.mark.parametrize("network", NETWORKS)
def test_there_and_back_is_the_same(layout, network):
    model = build(NETWORKS[network])
    ours = model.state_dict()
    entries = LAYOUT[layout].entries(model)
    if not entries:
        assert network != "plain"  # every layout can hold a plain VGG
        return
    assert sorted(entry.ours for entry in entries) == sorted(ours)
    assert len({entry.theirs for entry in entries}) == len(ours)
    for entry in entries:
        back = entry.form.here(entry.form.there(ours[entry.ours]))
        assert torch.equal(back, ours[entry.ours])


def test_the_first_fully_connected_layer_of_keras_reads_height_width_channels():
    model = build(NETWORKS["plain"]).eval()
    (row,) = [entry for entry in LAYOUT["keras"].entries(model) if entry.theirs == "fc1/kernel"]
    kernel = row.form.there(model.classifier[0].weight)
    maps = torch.randn(2, 6, 2, 2)
    channels_last = maps.permute(0, 2, 3, 1).flatten(1)  # as Keras flattens
    expected = model.classifier[0](maps.flatten(1)) - model.classifier[0].bias
    torch.testing.assert_close(channels_last @ kernel, expected)
