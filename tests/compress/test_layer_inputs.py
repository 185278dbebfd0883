"""The rows of inputs of layers, and their Gram matrices, equal those of unfolded inputs."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.compress import layer_inputs as module
from verydeep.compress.calibration import Calibration
from verydeep.compress.gram import gram_of
from verydeep.compress.layer_inputs import fitting, input_rows, layer_inputs, output_positions, weight_matrix
from verydeep.data.normalize import normalize
from verydeep.errors import CompressionError
from verydeep.models.build import build

PREPROCESS = Preprocess(size=16, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))


def network(string, **settings):
    torch.manual_seed(0)
    return build(Architecture.from_string(string, input=(3, 16, 16), classes=4, **settings)).eval()


def images(count=6):
    return Calibration(pixels=torch.randint(256, (count, 3, 16, 16), dtype=torch.uint8))


def grams_of(model, images):
    return {each.name: gram_of(each.rows()) for each in layer_inputs(model, images, PREPROCESS)}


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (5, 2, 0), (1, 1, 0), (7, 2, 3)])
def test_the_rows_times_the_weights_are_the_outputs(kernel, stride, padding):
    layer = nn.Conv2d(3, 5, kernel, stride, padding, bias=False)
    inputs = torch.randn(2, 3, 11, 9)
    outputs = layer(inputs).detach()
    positions = torch.stack([torch.randperm(outputs[0, 0].numel())[:7] for _ in range(2)])
    rows = input_rows(layer, inputs, positions)
    expected = torch.stack([each.flatten(1)[:, at] for each, at in zip(outputs, positions, strict=True)])
    torch.testing.assert_close(rows @ weight_matrix(layer).T, expected.transpose(1, 2).flatten(0, 1))


@pytest.mark.parametrize("inputs", [3, 8, 50])
def test_the_blocks_of_a_gram_matrix_are_those_of_the_whole_product(inputs):
    rows = torch.randn(40, inputs)
    extended = torch.cat([rows, torch.ones(40, 1)], 1)
    torch.testing.assert_close(gram_of(rows).matrix, (extended.T @ extended).double(), rtol=1e-5, atol=1e-4)
    assert gram_of(rows).rows == 40


def test_a_gram_matrix_is_that_of_all_unfolded_inputs(monkeypatch):
    monkeypatch.setattr(module, "chunk_images", lambda size: 4)
    model, some = network("8 M 16 | pool2 12"), images()
    grams = grams_of(model, some)
    assert list(grams) == ["features.0", "features.3", "classifier.0", "classifier.3"]
    first = functional.unfold(normalize(some.pixels, PREPROCESS), 3, padding=1).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(grams["features.0"].of_weights, (first.T @ first).double(), rtol=1e-4, atol=1)
    assert grams["features.0"].rows == 6 * 256
    centered = first - first.mean(0)
    torch.testing.assert_close(
        grams["features.0"].centered, (centered.T @ centered).double(), rtol=1e-4, atol=1
    )
    assert grams["classifier.0"].matrix.shape == (16 * 4 + 1,) * 2


@pytest.mark.parametrize("string", ["8 (8 8) (16s2 16) | gap", "8k7s2p3 M 16k1 | pool2 12 9"])
def test_the_inputs_are_those_of_a_pass_of_the_network(string):
    model, some = network(string, norm="batch"), images()
    seen = {}
    for name, layer in module.weighted_layers(model).items():
        layer.register_forward_hook(lambda layer, inputs, outputs, name=name: seen.update(
            {name: (inputs[0].clone(), outputs.clone())}
        ))  # fmt: skip
    with torch.inference_mode():
        model(normalize(some.pixels, PREPROCESS))
    expected = dict(seen)
    for each in layer_inputs(model, some, PREPROCESS):
        inputs, outputs = expected.pop(each.name)
        torch.testing.assert_close(torch.cat(list(each.chunks)).flatten(1), inputs.flatten(1))
        assert output_positions(each.layer, inputs) == (outputs[0, 0].numel() if outputs.ndim > 2 else 1)
    assert expected == {}


def test_later_layers_see_changed_weights():
    model, some = network("8 M 16 | gap"), images()
    for each in layer_inputs(model, some, PREPROCESS):
        if each.name == "features.0":
            nn.init.zeros_(each.layer.weight)
            nn.init.ones_(each.layer.bias)
        elif each.name == "features.3":
            assert all(bool((chunk == 1).all()) for chunk in each.chunks)


def test_a_residual_block_has_the_inputs_of_body_and_projection():
    model = network("8 (8 8) (16s2 16) | gap", norm="batch", conv_bias=False)
    grams = grams_of(model, images())
    body, projection = grams["layer2.0.conv1"].matrix, grams["layer2.0.downsample.0"].matrix
    middle = torch.arange(8) * 9 + 4  # what a 1x1 kernel of the same stride sees
    torch.testing.assert_close(body[middle][:, middle], projection[:-1, :-1], rtol=1e-4, atol=1e-2)


def test_many_positions_are_sampled_the_same_way_in_every_network(monkeypatch):
    monkeypatch.setattr(module, "LEAST_ROWS", 100)
    monkeypatch.setattr(module, "ROWS_AN_INPUT", 1)
    some = images()
    wide, narrow = ({
        each.name: each.rows(module.weighted_layers(network("8 32 | gap"))[each.name])
        for each in layer_inputs(network(string), some, PREPROCESS)
    } for string in ("8 32 | gap", "8 16 | gap"))  # fmt: skip
    assert 90 <= len(wide["features.0"]) <= 110
    assert torch.equal(wide["features.2"], narrow["features.2"])


def test_each_row_has_the_number_of_its_image():
    (first, *_) = layer_inputs(network("8 M 16 | gap"), images(3), PREPROCESS)
    rows = first.rows()
    assert torch.equal(first.images(len(rows)), torch.arange(3).repeat_interleave(256))


def test_fewer_images_where_feature_maps_are_large(monkeypatch):
    monkeypatch.setattr(module, "MAP_VALUES", 5 * 8 * 16 * 16)
    assert len(fitting(images(20), network("8 M 16 | gap"))) == 5
    monkeypatch.setattr(module, "MAP_VALUES", 250_000_000)
    monkeypatch.setattr(module, "LEAST_IMAGES", 10)
    assert len(fitting(images(200), network("8 M 16 | gap"))) == 2 * 16
    assert len(fitting(images(200), network("8 M 4 | gap"))) == 10


def test_groups_are_refused():
    model = network("8 16g2 | gap")
    with pytest.raises(CompressionError, match=r"2 groups \(features.2\)"):
        list(layer_inputs(model, images(), PREPROCESS))
