"""Feature extraction: each feature is the output of its layer, and no other layers run."""

from collections import defaultdict

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import grid_name
from verydeep.errors import ArchitectureError, ShapeError
from verydeep.models.build import build, build_empty
from verydeep.models.feature_extractor import taps
from verydeep.models.feature_steps import feature_names, feature_steps, last_map_name, last_unpooled_name

FAMILIES = {
    "vgg": ("8x2 M 12 L M | pool2 6 6", {"dropout": 0.0}),
    "vgg_bn": ("8x2 M 12 M | pool2 6", {"norm": "batch"}),
    "norm after pool": ("8 M 12x2 M | gap", {"norm": "batch-after-pool", "conv_bias": False}),
    "alexnet": ("8k5s2 Mk3s2 12 Mk3s2 | pool2 6 6", {"dropout_first": True}),
    "resnet": ("8k7s2 Mk3s2p1 (8 8)x2 (12s2 12) | gap", {"norm": "batch", "conv_bias": False}),
    "bottleneck": ("8 (4k1 4 16k1) (4k1 4s2 16k1) M | gap 6", {"norm": "batch"}),
}


def network(family, classes=3):
    string, settings = FAMILIES[family]
    torch.manual_seed(0)
    model = build(Architecture.from_string(string, family, input=(2, 16, 16), classes=classes, **settings))
    for module in model.modules():  # norms and biases that are not the identity
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight.data, module.running_var, module.bias.data, module.running_mean):
                value.uniform_(0.5, 1.5)
    return model.eval()


@pytest.fixture
def images():
    return torch.rand(3, 2, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_feature_is_the_output_of_the_network(family, images):
    model = network(family)
    names = feature_names(model)
    assert torch.equal(taps(model, names)(images)[names[-1]], model(images))


@pytest.mark.parametrize("family", FAMILIES)
def test_each_feature_is_the_output_of_its_module(family, images):
    """Hooks copy every module's output before a ReLU in place can change it."""
    model = network(family)
    extractor = taps(model, feature_names(model))
    values = extractor(images)
    outputs = defaultdict(list)
    for module in model.modules():
        module.register_forward_hook(lambda module, _, output: outputs[module].append(output.clone()))
    model(images)
    hooked = {name: module for name, module in extractor.steps.items() if module in outputs}
    assert len(hooked) >= len(values) - 5  # all but sums and the first module of the head
    for name, module in hooked.items():
        assert any(torch.equal(values[name], output) for output in outputs[module]), name


def test_values_are_the_equations_written_out(images):
    model = network("vgg")
    conv1, conv2 = model.features[0], model.features[2]
    before = functional.conv2d(
        functional.conv2d(images, conv1.weight, conv1.bias, padding=1).clamp(min=0),
        conv2.weight, conv2.bias, padding=1,
    )  # fmt: skip
    features = taps(model, ["conv1_2", "relu1_2", "pool1"])(images)
    assert list(features) == ["conv1_2", "relu1_2", "pool1"]
    assert (before < 0).any()  # else the next lines would not test ReLU
    torch.testing.assert_close(features["conv1_2"], before)
    torch.testing.assert_close(features["relu1_2"], before.clamp(min=0))
    torch.testing.assert_close(features["pool1"], functional.max_pool2d(before.clamp(min=0), 2))


def test_a_block_is_the_sum_of_body_and_shortcut(images):
    model = network("resnet")
    names = ["conv2_2", "bn3_1_2", "bn3_1_project", "add3_1", "conv3_1"]
    before, body, shortcut, total, after = taps(model, names)(images).values()
    block = model.layer2[0]
    torch.testing.assert_close(shortcut, block.downsample(before))
    torch.testing.assert_close(total, body + shortcut)
    torch.testing.assert_close(after, block(before))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_feature_does_not_depend_on_the_other_names(family, images):
    """Which ReLU works in place depends on the names; the values do not."""
    model = network(family)
    together = taps(model, feature_names(model))(images)
    for name, value in together.items():
        assert torch.equal(taps(model, name)(images)[name], value), name


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_every_row_of_a_networks_table_is_a_feature(name):
    architecture = zoo.resolve(name)
    model = build_empty(architecture).eval()
    names = feature_names(model)
    assert len(names) == len(set(names))
    values = taps(model, names)(torch.empty(1, *architecture.input, device="meta"))
    for row in trace(architecture).layers:
        assert tuple(values[row.name].shape[1:]) in (row.output, row.output[:1]), row.name


@pytest.mark.parametrize(
    ("network", "layer", "last_conv"),
    [
        ("vgg16", "relu3_3", "conv3_3"),
        ("alexnet", "conv4", "conv4"),
        ("resnet18", "conv3_1", "conv3_1_project"),
    ],
)
def test_no_layer_after_the_deepest_runs(network, layer, last_conv):
    architecture = zoo.resolve(network)
    rows = trace(architecture).layers
    end = next(index for index, row in enumerate(rows) if row.name == last_conv)
    with FlopCounterMode(display=False) as counter:
        taps(build_empty(architecture), [layer])(torch.empty(1, *architecture.input, device="meta"))
    assert counter.get_total_flops() == 2 * sum(row.macs for row in rows[: end + 1])


def test_the_extractor_has_only_the_parameters_it_needs():
    extractor = taps(build_empty(zoo.resolve("vgg16")), ["relu2_2"])
    rows = [row for row in trace(zoo.resolve("vgg16")).layers if row.name[:5] in ("conv1", "conv2")]
    assert sum(parameter.numel() for parameter in extractor.parameters()) == sum(
        row.parameters for row in rows
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_are_equal_to_those_of_the_network(family, images):
    model = network(family)

    def gradients(logits):
        return torch.autograd.grad(logits.square().sum(), list(model.parameters()))

    names = feature_names(model)
    extracted = gradients(taps(model, names)(images)[names[-1]])
    for value, reference in zip(extracted, gradients(model(images)), strict=True):
        torch.testing.assert_close(value, reference)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_of_features_before_a_relu_in_place(family):
    model = network(family).double()
    extractor = taps(model, feature_names(model)[:5])
    images = torch.rand(1, 2, 16, 16, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda images: sum(v.sin().sum() for v in extractor(images).values()), images, fast_mode=True
    )


def test_under_autocast_in_training(images):
    model = network("vgg_bn").train()
    with torch.autocast("cpu", torch.bfloat16):
        values = taps(model, ["conv1_2", "bn1_2", "relu1_2"])(images)
    assert values["conv1_2"].dtype == torch.bfloat16
    assert torch.equal(values["relu1_2"], values["bn1_2"].relu())
    values["relu1_2"].float().sum().backward()
    assert model.features[0].weight.grad.abs().sum() > 0


def test_the_extractor_shares_the_modules_of_the_model(images):
    model = network("vgg")
    extractor = taps(model, "conv1_1")
    before = extractor(images)["conv1_1"]
    with torch.no_grad():
        model.features[0].weight.zero_()
    assert not torch.equal(extractor(images)["conv1_1"], before)
    assert not extractor.eval().steps["conv1_1"].training


def test_images_may_have_any_size_that_is_large_enough():
    model = build_empty(zoo.resolve("vgg16"))
    features = taps(model, ["relu3_3", "fc6"])(torch.empty(1, 3, 65, 130, device="meta"))
    assert features["relu3_3"].shape == (1, 256, 16, 32) and features["fc6"].shape == (1, 4096)
    assert taps(model, "relu1_2")(torch.empty(1, 3, 1, 1, device="meta"))["relu1_2"].shape == (1, 64, 1, 1)


def test_images_that_do_not_fit_are_an_error():
    model = build_empty(zoo.resolve("vgg16"))
    with pytest.raises(ShapeError, match="vgg16 up to pool5 needs at least 32 x 32 px"):
        taps(model, "pool5")(torch.empty(1, 3, 31, 200, device="meta"))
    with pytest.raises(ShapeError, match="images have 1 channels; vgg16 was built for 3"):
        taps(model, "pool5")(torch.empty(1, 1, 64, 64, device="meta"))


@pytest.mark.parametrize(
    ("network", "names", "message"),
    [
        (
            "vgg16",
            ["relu3_4"],
            r"vgg16 has no layer 'relu3_4'. Did you mean relu3_3 .*It has conv1_1, relu1_1",
        ),
        ("vgg16", ["relu3_3", "block3_conv3"], "no layer 'block3_conv3'"),
        ("resnet50", ["layer1"], "inside its blocks, names such as conv2_1_1"),
        ("vgg16", [], "no layer was given. vgg16 has conv1_1"),
    ],
)
def test_wrong_names_are_an_error_that_lists_the_names(network, names, message):
    with pytest.raises(ArchitectureError, match=message):
        taps(build_empty(zoo.resolve(network)), names)


@pytest.mark.parametrize(
    ("network", "name"),
    [("vgg16", "pool5"), ("vgg-tiny", "relu3_1"), ("resnet50", "conv5_3"), ("alexnet", "pool5")],
)
def test_the_last_map(network, name):
    assert last_map_name(build_empty(zoo.resolve(network))) == name


def test_the_last_map_is_the_input_of_the_pool_of_the_head():
    for network in zoo.names():
        model = build_empty(zoo.resolve(network))
        pool = grid_name(model.architecture)
        (last,) = (step.inputs[0] for step in feature_steps(model) if step.name == pool)
        assert last_map_name(model) == last


@pytest.mark.parametrize(
    ("network", "name"),
    [("vgg16", "relu5_3"), ("vgg-tiny", "relu3_1"), ("resnet50", "conv5_3"), ("alexnet", "relu5")],
)
def test_the_last_map_before_a_final_pool(network, name):  # relu5_3: Selvaraju et al. 2017, section 4
    assert last_unpooled_name(build_empty(zoo.resolve(network))) == name
