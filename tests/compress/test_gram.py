"""Gram matrices of layer inputs equal those of unfolded inputs, and tell the error of other weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.compress import gram
from verydeep.compress.gram import gram_matrices, input_rows, layer_rows, weight_matrix
from verydeep.data.normalize import normalize
from verydeep.errors import CompressionError
from verydeep.models.build import build

PREPROCESS = Preprocess(size=16, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))


def network(string, **settings):
    torch.manual_seed(0)
    return build(Architecture.from_string(string, input=(3, 16, 16), classes=4, **settings)).eval()


def images(count=6):
    return torch.randint(256, (count, 3, 16, 16), dtype=torch.uint8)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (5, 2, 0), (1, 1, 0), (7, 2, 3)])
def test_the_rows_times_the_weights_are_the_outputs(kernel, stride, padding):
    layer = nn.Conv2d(3, 5, kernel, stride, padding, bias=False)
    inputs = torch.randn(2, 3, 11, 9)
    outputs = layer(inputs).detach()
    positions = torch.stack([torch.randperm(outputs[0, 0].numel())[:7] for _ in range(2)])
    rows = input_rows(layer, inputs, positions)
    expected = torch.stack([each.flatten(1)[:, at] for each, at in zip(outputs, positions, strict=True)])
    torch.testing.assert_close(rows @ weight_matrix(layer).T, expected.transpose(1, 2).flatten(0, 1))


def test_a_gram_matrix_is_that_of_all_unfolded_inputs(monkeypatch):
    monkeypatch.setattr(gram, "chunk_images", lambda size: 4)
    model, pixels = network("8 M 16 | pool2 12"), images()
    grams = gram_matrices(model, pixels, PREPROCESS)
    assert list(grams) == ["features.0", "features.3", "classifier.0", "classifier.3"]
    first = functional.unfold(normalize(pixels, PREPROCESS), 3, padding=1).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(grams["features.0"].of_weights, (first.T @ first).double(), rtol=1e-4, atol=1)
    assert grams["features.0"].rows == 6 * 256
    centered = first - first.mean(0)
    torch.testing.assert_close(
        grams["features.0"].centered, (centered.T @ centered).double(), rtol=1e-4, atol=1
    )
    assert grams["classifier.0"].matrix.shape == (16 * 4 + 1,) * 2


def test_a_residual_block_has_the_inputs_of_body_and_projection():
    model = network("8 (8 8) (16s2 16) | gap", norm="batch", conv_bias=False)
    grams = gram_matrices(model, images(), PREPROCESS)
    body, projection = grams["layer2.0.conv1"].matrix, grams["layer2.0.downsample.0"].matrix
    middle = torch.arange(8) * 9 + 4  # what a 1x1 kernel of the same stride sees
    torch.testing.assert_close(body[middle][:, middle], projection[:-1, :-1], rtol=1e-4, atol=1e-2)


def test_many_positions_are_sampled_the_same_way_in_every_network(monkeypatch):
    monkeypatch.setattr(gram, "LEAST_ROWS", 100)
    monkeypatch.setattr(gram, "ROWS_AN_INPUT", 1)
    pixels = images()
    one = {name: rows for name, rows, _ in layer_rows(network("8 16 | gap"), pixels, PREPROCESS)}
    other = {name: rows for name, rows, _ in layer_rows(network("8 32 | gap"), pixels, PREPROCESS)}
    assert 90 <= len(one["features.0"]) <= 110
    assert torch.equal(one["features.2"], other["features.2"])


def test_groups_are_refused():
    model = network("8 16g2 | gap")
    with pytest.raises(CompressionError, match=r"2 groups \(features.2\)"):
        gram_matrices(model, images(), PREPROCESS)


def test_the_output_rows_are_those_before_the_relu():
    for name, rows, outputs in layer_rows(network("8 M 16 | pool2 12"), images(), PREPROCESS):
        layer = network("8 M 16 | pool2 12").get_submodule(name)
        torch.testing.assert_close(rows @ weight_matrix(layer).T + layer.bias.detach(), outputs)
