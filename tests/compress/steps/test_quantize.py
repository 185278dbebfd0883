"""The step `quantize`: integers in every layer, logits close to those before, the given network unchanged."""

import copy

import pytest
import torch

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.compress.calibration import Calibration
from verydeep.compress.layer_inputs import weight_matrix, weighted_layers
from verydeep.compress.steps import quantize as module
from verydeep.compress.steps.gptq import rounded
from verydeep.compress.steps.quantize import bits_of_layers, quantize, quantized_bytes
from verydeep.errors import CompressionError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.logits import predict_logits
from verydeep.weight_files.checkpoint_file import compact_bytes
from verydeep.weight_files.compact.integers import integers_and_scales

PREPROCESS = Preprocess(size=16, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))


def network(string="16 M 32 M | pool2 24", **settings):
    torch.manual_seed(0)
    architecture = Architecture.from_string(string, input=(3, 16, 16), classes=4, dropout=0, **settings)
    return Checkpoint(build(architecture).eval(), PREPROCESS, tuple("abcd"), {"data": "noise"})


@pytest.fixture
def calibration():
    """Smooth images, whose neighboring pixels are correlated."""
    torch.manual_seed(1)
    small = torch.randint(256, (64, 3, 4, 4)).float()
    pixels = torch.nn.functional.interpolate(small, (16, 16), mode="bilinear").to(torch.uint8)
    return Calibration(pixels=pixels)


def logits(checkpoint, calibration):
    return predict_logits(checkpoint.model, calibration.pixels, PREPROCESS)


def distance(checkpoint, other, calibration):
    return float((logits(checkpoint, calibration) - logits(other, calibration)).square().mean())


def rounded_network(checkpoint, bits):
    model = copy.deepcopy(checkpoint.model)
    layers = weighted_layers(model)
    for name, count in bits_of_layers(layers, bits).items():
        layers[name].weight.data = rounded(weight_matrix(layers[name]), count).weights.view_as(
            layers[name].weight
        )
    return Checkpoint(model, PREPROCESS, checkpoint.classes)


@pytest.mark.parametrize("bits", [3, 4])
def test_the_logits_are_closer_than_after_rounding(calibration, bits):
    before = network()
    after = quantize(before, calibration, bits).checkpoint
    plain = rounded_network(before, bits)
    assert distance(before, after, calibration) < 0.5 * distance(before, plain, calibration)


@pytest.mark.parametrize(
    ("string", "settings"),
    [
        ("16 M 32 M | pool2 24", {}),
        ("16 M 32 | gap", {"norm": "batch-after-pool", "conv_bias": False}),
        ("8 (8 8) (16s2 16) | gap", {"norm": "batch", "conv_bias": False}),
    ],
)
def test_every_layer_is_integers_times_scales(calibration, string, settings):
    before = network(string, **settings)
    state = copy.deepcopy(before.model.state_dict())
    result = quantize(before, calibration, 4)
    bits = bits_of_layers(weighted_layers(before.model), 4)
    for name, layer in weighted_layers(result.checkpoint.model).items():
        integers, _ = integers_and_scales(weight_matrix(layer).numpy())
        assert abs(integers).max() <= 2 ** (bits[name] - 1) - 1
    assert all(torch.equal(value, before.model.state_dict()[name]) for name, value in state.items())
    assert result.checkpoint.origin == {"data": "noise"}
    assert not result.checkpoint.model.training


def test_batch_norms_are_not_changed(calibration):
    before = network("16 M 32 | gap", norm="batch", conv_bias=False)
    after = quantize(before, calibration).checkpoint
    for name, value in before.model.state_dict().items():
        if "running" in name or value.ndim == 1:
            assert torch.equal(value, after.model.state_dict()[name]) or name == "classifier.0.bias"


def test_eight_bits_change_nothing_to_speak_of(calibration):
    before = network()
    after = quantize(before, calibration, 8).checkpoint
    torch.testing.assert_close(logits(after, calibration), logits(before, calibration), rtol=0, atol=0.03)


def test_smaller_layers_get_half_a_bit_more_for_each_halving():
    layers = weighted_layers(network("24 M 64 M 128 | pool3 256").model)
    counts = [layer.weight.numel() for layer in layers.values()]
    assert counts == [648, 13_824, 73_728, 294_912, 1_024]
    assert list(bits_of_layers(layers, 4).values()) == [8, 6, 5, 4, 8]
    assert list(bits_of_layers(layers, 2).values()) == [6, 4, 3, 2, 6]


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_the_size_is_known_without_images(calibration, bits):
    before = network("32 M 64 M | pool2 64")
    assert quantized_bytes(before, bits) == pytest.approx(
        compact_bytes(quantize(before, calibration, bits).checkpoint), rel=0.06
    )


def test_a_layer_with_very_many_inputs_is_rounded(calibration, monkeypatch):
    monkeypatch.setattr(module, "MAX_INPUTS", 100)
    result = quantize(network(), calibration)
    assert result.done == "4 layers in 4 to 7 bits, 2 of them without compensation"


def test_what_cannot_be_quantized_is_said(calibration):
    with pytest.raises(CompressionError, match="9 bits were given; expected 2 to 8"):
        quantize(network(), calibration, 9)
    with pytest.raises(CompressionError, match="no calibration images"):
        quantize(network(), Calibration(pixels=calibration.pixels[:0]))
    with pytest.raises(CompressionError, match="groups"):
        quantize(network("8 16g2 | gap"), calibration)
