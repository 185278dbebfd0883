"""The built network, against the trace, torch's FLOP counter and torchvision's names."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.errors import ShapeError
from verydeep.models.build import build, build_empty

PLAIN_CONVS = {
    "vgg11": "0 3 6 8 11 13 16 18",
    "vgg13": "0 2 5 7 10 12 15 17 20 22",
    "vgg16": "0 2 5 7 10 12 14 17 19 21 24 26 28",
    "vgg19": "0 2 5 7 10 12 14 16 19 21 23 25 28 30 32 34",
    "vgg11_bn": "0 4 8 11 15 18 22 25",
    "vgg13_bn": "0 3 7 10 14 17 21 24 28 31",
    "vgg16_bn": "0 3 7 10 14 17 20 24 27 30 34 37 40",
    "vgg19_bn": "0 3 7 10 14 17 20 23 27 30 33 36 40 43 46 49",
    "alexnet": "0 3 6 8 10",
}
POOLS = {
    "vgg11": "2 5 10 15 20",
    "vgg13": "4 9 14 19 24",
    "vgg16": "4 9 16 23 30",
    "vgg19": "4 9 18 27 36",
    "vgg11_bn": "3 7 14 21 28",
    "vgg13_bn": "6 13 20 27 34",
    "vgg16_bn": "6 13 23 33 43",
    "vgg19_bn": "6 13 26 39 52",
}
KEYS = {
    "vgg11": 22, "vgg13": 26, "vgg16": 32, "vgg19": 38, "vgg11_bn": 62, "vgg13_bn": 76, "vgg16_bn": 97,
    "vgg19_bn": 118, "alexnet": 16, "resnet18": 122, "resnet34": 218, "resnet50": 320, "resnet101": 626,
    "resnet152": 932,
}  # fmt: skip


def shapes(name):
    return {key: tuple(value.shape) for key, value in build_empty(zoo.resolve(name)).state_dict().items()}


def torchvision_vgg_shapes(name, conv_indices):
    """The names and shapes of torchvision 0.28, by its conventions."""
    widths = [conv.channels for conv in zoo.resolve(name).layers if hasattr(conv, "channels")]
    expected, channels = {}, 3
    for index, width in zip(conv_indices, widths, strict=True):
        expected[f"features.{index}.weight"] = (width, channels, 3, 3)
        expected[f"features.{index}.bias"] = (width,)
        if name.endswith("_bn"):
            for key in ("weight", "bias", "running_mean", "running_var"):
                expected[f"features.{index + 1}.{key}"] = (width,)
            expected[f"features.{index + 1}.num_batches_tracked"] = ()
        channels = width
    for index, (outputs, inputs) in {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}.items():
        expected[f"classifier.{index}.weight"] = (outputs, inputs)
        expected[f"classifier.{index}.bias"] = (outputs,)
    return expected


@pytest.mark.parametrize("name", [name for name in PLAIN_CONVS if name != "alexnet"])
def test_vgg_keys_and_shapes_are_torchvisions(name):
    expected = torchvision_vgg_shapes(name, [int(index) for index in PLAIN_CONVS[name].split()])
    assert shapes(name) == expected


@pytest.mark.parametrize("name", list(POOLS))
def test_vgg_pools_have_torchvisions_indices(name):
    features = build_empty(zoo.resolve(name)).features
    pools = [i for i, module in enumerate(features) if isinstance(module, nn.MaxPool2d)]
    assert " ".join(map(str, pools)) == POOLS[name]


def test_alexnet_keys_and_shapes_are_torchvisions():
    convs = [(64, 3, 11), (192, 64, 5), (384, 192, 3), (256, 384, 3), (256, 256, 3)]
    expected = {}
    for index, (outputs, inputs, kernel) in zip((0, 3, 6, 8, 10), convs, strict=True):
        expected[f"features.{index}.weight"] = (outputs, inputs, kernel, kernel)
        expected[f"features.{index}.bias"] = (outputs,)
    for index, (outputs, inputs) in {1: (4096, 9216), 4: (4096, 4096), 6: (1000, 4096)}.items():
        expected[f"classifier.{index}.weight"] = (outputs, inputs)
        expected[f"classifier.{index}.bias"] = (outputs,)
    assert shapes("alexnet") == expected


def torchvision_resnet_shapes(depth):
    """The names and shapes of torchvision's ResNet, by its conventions."""
    blocks = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
    bottleneck = depth >= 50
    expected = {"conv1.weight": (64, 3, 7, 7), **norm_shapes("bn1", 64)}
    channels = 64
    for stage, count in enumerate(blocks[depth], start=1):
        width = 32 * 2**stage
        outputs = 4 * width if bottleneck else width
        for block in range(count):
            prefix = f"layer{stage}.{block}"
            convs = [(width, channels, 1), (width, width, 3), (outputs, width, 1)] if bottleneck else [
                (width, channels, 3), (width, width, 3)]  # fmt: skip
            for number, (after, before, kernel) in enumerate(convs, start=1):
                expected[f"{prefix}.conv{number}.weight"] = (after, before, kernel, kernel)
                expected |= norm_shapes(f"{prefix}.bn{number}", after)
            if channels != outputs or (block == 0 and stage > 1):
                expected[f"{prefix}.downsample.0.weight"] = (outputs, channels, 1, 1)
                expected |= norm_shapes(f"{prefix}.downsample.1", outputs)
            channels = outputs
    return expected | {"fc.weight": (1000, channels), "fc.bias": (1000,)}


def norm_shapes(prefix, channels):
    keys = {f"{prefix}.{key}": (channels,) for key in ("weight", "bias", "running_mean", "running_var")}
    return {**keys, f"{prefix}.num_batches_tracked": ()}


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_resnet_keys_and_shapes_are_torchvisions(depth):
    assert shapes(f"resnet{depth}") == torchvision_resnet_shapes(depth)


@pytest.mark.parametrize("name", list(KEYS))
def test_number_of_keys(name):
    assert len(shapes(name)) == KEYS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_the_trace_and_torch_have_equal_counts(name):
    architecture = zoo.resolve(name)
    model = build_empty(architecture).eval()
    totals = trace(architecture).totals
    assert sum(parameter.numel() for parameter in model.parameters()) == totals.parameters
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, *architecture.input, device="meta"))
    assert counter.get_total_flops() == 2 * totals.macs


@pytest.mark.slow
@pytest.mark.parametrize(
    "string", ["8 M (8 8)x2 M (16s2 16) 16 | gap 12", "(8 8) | gap", "8 L Mk3s2 | pool2 6 6"]
)
def test_architectures_of_no_family_have_equal_counts(string):
    architecture = Architecture.from_string(string, norm="batch", input=(1, 16, 16), classes=3)
    model = build(architecture).eval()
    assert sum(p.numel() for p in model.parameters()) == trace(architecture).totals.parameters
    assert model(torch.randn(2, 1, 16, 16)).shape == (2, 3)


def test_a_norm_after_the_pool_is_the_same_function_where_its_scale_is_positive():
    after_pool = Architecture.from_string(
        "8 M 6 6 M | gap", norm="batch-after-pool", input=(2, 8, 8), classes=3
    )
    before_pool = replace(after_pool, norm="batch")
    model, reference = build(after_pool).eval(), build(before_pool).eval()
    order = [type(module).__name__ for module in model.features]
    assert order[:4] == ["Conv2d", "MaxPool2d", "BatchNorm2d", "ReLU"]
    for module, other in zip(weighted(model), weighted(reference), strict=True):
        other.load_state_dict(module.state_dict())
        if isinstance(module, nn.BatchNorm2d):  # equal in both, and not the identity
            for norm in (module, other):
                torch.manual_seed(0)
                for value in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
                    value.uniform_(0.5, 2)
    images = torch.randn(4, 2, 8, 8)
    torch.testing.assert_close(model(images), reference(images))
    assert trace(after_pool).totals == trace(before_pool).totals


def weighted(model):
    return [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]


def test_each_row_of_the_trace_has_the_output_shape_of_torch():
    architecture = zoo.resolve("vgg-tiny")
    model, shapes = build(architecture).eval(), []
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.Linear):
            module.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape[1:])))
    model(torch.randn(1, 1, 28, 28))
    rows = [row.output for row in trace(architecture).layers if row.kind in ("conv", "pool", "fc")]
    assert [shape if len(shape) == 3 else (*shape, 1, 1) for shape in shapes] == rows


def test_images_with_another_number_of_channels_are_an_error():
    with pytest.raises(ShapeError, match="images have 3 channels; tiny was built for 1"):
        build(Architecture.from_string("8 | gap", "tiny", input=(1, 8, 8)))(torch.zeros(1, 3, 8, 8))


def test_a_network_for_loading_needs_no_memory():
    model = build_empty(zoo.resolve("vgg16"))
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


@pytest.mark.parametrize(
    ("name", "order"), [("vgg16", "LRDLRDL"), ("alexnet", "DLRDLRL"), ("alexnet-2012", "LRDLRDL")]
)
def test_dropout_is_where_the_papers_and_torchvision_have_it(name, order):
    head = build_empty(zoo.resolve(name)).classifier
    assert "".join(type(module).__name__[0] for module in head) == order
    assert all(module.p == 0.5 for module in head if isinstance(module, nn.Dropout))


def test_a_block_adds_its_input_before_the_last_relu():  # He et al. 2015, Figure 2
    architecture = Architecture.from_string("(4 4) | gap", input=(4, 5, 5), conv_bias=False)
    (block,) = build(architecture).features
    images = torch.randn(2, 4, 5, 5)
    inner = block.conv2(torch.relu(block.conv1(images)))
    torch.testing.assert_close(block(images), torch.relu(inner + images))
