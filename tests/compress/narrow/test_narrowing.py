"""Narrowing keeps what can be kept, and chooses and refits better than removing the smallest weights."""

import pytest
import torch
from torch import nn

from verydeep.compress.narrow import refit, widths
from verydeep.compress.narrow.narrowing import narrow, prepare_narrowing
from verydeep.compress.narrow.widths import narrowable_widths, with_widths
from verydeep.errors import CompressionError
from verydeep.models.logits import predict_logits

from ..networks import calibration, checkpoint


def logits(network, images):
    return predict_logits(network.model, images.pixels, network.preprocess)


def error(network, original, images):
    """Of the logits, relative to their variance."""
    wanted = logits(original, images)
    return float((logits(network, images) - wanted).square().sum() / (wanted - wanted.mean(0)).square().sum())


@pytest.mark.parametrize(
    ("string", "producers", "columns"),
    [
        ("16 M 32 | pool2 24", ["features.0", "features.3", "classifier.0"], [9, 4, 1]),
        ("16k5 24 | gap", ["features.0", "features.2"], [9, 1]),
        (
            "16 (24 16) (24k1 24 32s2k1) | gap",
            ["layer1.0.conv1", "layer2.0.conv1", "layer2.0.conv2"],
            [9, 9, 1],
        ),
        ("16 (24 16) 24 | gap", ["features.2.conv1", "features.3"], [9, 1]),
        ("16 L 24 | gap", ["features.3"], [1]),
    ],
)
def test_the_widths_that_one_other_layer_takes_in(string, producers, columns):
    widths = narrowable_widths(checkpoint(string).model)
    assert [width.producer for width in widths] == producers
    assert [width.columns for width in widths] == columns


def test_a_layer_of_a_block_that_is_left_out_keeps_its_place(monkeypatch):
    monkeypatch.setattr(widths, "MAX_INPUTS", 100)  # the first convolution of the block has 9 * 24 takers
    model = checkpoint("16 (24 32 16k1) | gap").model
    (width,) = narrowable_widths(model)
    assert width.producer == "layer1.0.conv2"
    assert with_widths(model.architecture, (width,), {width.producer: 16}).string == "16 (24 16 16k1) | gap"


def test_the_choices_are_multiples_of_16_and_a_floor():
    widths = narrowable_widths(checkpoint("40 M 8 M 16 | gap").model)
    assert [width.choices for width in widths] == [(8, 16, 32, 40), (8,), (8, 16)]


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        ("32 M 32x2 | pool2 48", "16 M 16 8 | pool2 8"),
        ("32 (32 32) (32s2 32) | gap", "32 (16 32) (16s2 32) | gap"),
        ("32 (24 32) 32 | pool2 24", "32 (16 32) 16 | pool2 8"),
    ],
)
def test_the_architecture_string_has_the_new_widths(string, expected):
    model = checkpoint(string).model
    widths = narrowable_widths(model)
    narrow_to = [int(token) for token in {"32 M 32x2 | pool2 48": "16 16 8 8"}.get(string, "16 16 8").split()]
    channels = {width.producer: count for width, count in zip(widths, narrow_to, strict=False)}
    assert with_widths(model.architecture, widths, channels).string == expected


def test_channels_that_are_copies_are_removed_without_loss():
    original, images = checkpoint("16 M 32 | gap"), calibration(40)
    first, second = original.model.features[0], original.model.features[3]
    with torch.no_grad():
        first.weight[8:] = first.weight[:8] * 2  # twice the same maps
        first.bias[8:] = first.bias[:8] * 2
        second.weight[16:], second.bias[16:] = second.weight[:16], second.bias[:16]
    result = narrow(original, images, {"features.0": 8, "features.3": 16})
    assert result.checkpoint.model.architecture.string == "8 M 16 | gap"
    assert result.done == "16 M 32 | gap to 8 M 16 | gap"
    assert error(result.checkpoint, original, calibration(20, seed=1)) < 1e-3


def test_a_refit_is_much_better_than_removing_the_smallest_weights():
    original, images, others = checkpoint("32 M 32 | pool2 32"), calibration(200), calibration(50, seed=1)
    result = narrow(original, images, {"features.0": 16, "features.3": 16, "classifier.0": 16})
    sliced = checkpoint("16 M 16 | pool2 16")
    kept, columns = None, 1
    for place, name in enumerate(["features.0", "features.3", "classifier.0", "classifier.3"]):
        source, target = original.model.get_submodule(name), sliced.model.get_submodule(name)
        weights, bias = source.weight.detach().flatten(1), source.bias.detach()
        if kept is not None:
            columns = weights.shape[1] // 32
            weights = weights[:, (kept[:, None] * columns + torch.arange(columns)).flatten()]
        if place < 3:
            kept = source.weight.detach().flatten(1).square().sum(1).topk(16).indices
            weights, bias = weights[kept], bias[kept]
        target.load_state_dict({"weight": weights.reshape(target.weight.shape), "bias": bias})
    assert error(result.checkpoint, original, others) < 0.5 * error(sliced, original, others)


def test_inner_widths_of_residual_blocks_are_narrowed():
    original, images = checkpoint("16 (32 16) (32s2 32) | gap"), calibration(100)
    channels = {width.producer: 16 for width in narrowable_widths(original.model)}
    result = narrow(original, images, channels)
    assert result.checkpoint.model.architecture.string == "16 (16 16) (16s2 32) | gap"
    assert error(result.checkpoint, original, calibration(30, seed=1)) < 0.2


def test_very_wide_layers_stay_as_they_are(monkeypatch):
    """As fc6 of VGG16, whose Gram matrix takes 5 GB."""
    for module in (widths, refit):
        monkeypatch.setattr(module, "MAX_INPUTS", 100)
    original, images = checkpoint("8 M 16 | pool4 32 24"), calibration(60)
    chosen = narrowable_widths(original.model)
    assert [width.producer for width in chosen] == ["features.0", "classifier.0", "classifier.3"]
    result = narrow(original, images, {"classifier.0": 16, "classifier.3": 16}).checkpoint
    assert result.model.architecture.string == "8 M 16 | pool4 16 16"
    kept = result.model.get_submodule("classifier.0").weight
    before = original.model.get_submodule("classifier.0").weight
    assert all(bool((row == before).all(1).any()) for row in kept)  # rows of it, not refitted
    assert error(result, original, calibration(30, seed=1)) < 0.2


def test_nothing_changes_where_all_channels_are_kept():
    original, images = checkpoint("16 M 24 | pool2 12"), calibration(3)
    result = narrow(original, images, {})
    torch.testing.assert_close(logits(result.checkpoint, images), logits(original, images))


def test_the_given_network_stays_and_the_result_is_reproducible():
    original, images = checkpoint("32 M 32 | gap"), calibration(10)
    before = {name: value.clone() for name, value in original.model.state_dict().items()}
    narrowing = prepare_narrowing(original, images)
    one, other = (narrowing.narrowed({"features.0": 16}).checkpoint.model for _ in range(2))
    for name, value in original.model.state_dict().items():
        assert torch.equal(value, before[name])
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


@pytest.mark.parametrize("string", ["8 M 8 | gap", "16 (8 16) | gap", "32 L | gap", "32 (32) | gap"])
def test_a_network_without_such_widths_is_refused(string):
    with pytest.raises(CompressionError, match="has no layer that can be narrowed"):
        narrow(checkpoint(string), calibration(2), {})


def test_batch_norms_have_to_be_folded_first():
    with pytest.raises(CompressionError, match="--steps fold,narrow"):
        narrow(checkpoint("32 M 32 | gap", norm="batch"), calibration(2), {})


def test_a_convolution_without_bias_gets_one():
    original = checkpoint("32 M 32 | gap", conv_bias=False)
    result = narrow(original, calibration(50), {"features.0": 16})
    assert isinstance(result.checkpoint.model.features[0], nn.Conv2d)
    assert result.checkpoint.model.features[0].bias is not None
