"""Integers with compensation: exact on their grid, and with a smaller error of the outputs than rounding."""

import pytest
import torch

from verydeep.compress.steps.gptq import compensated, largest_integer, rounded


def error(weights, gram, matrix):
    difference = weights.double() - matrix.weights.double()
    return float(((difference @ gram) * difference).sum())


@pytest.fixture
def layer():
    """Weights, and the Gram matrix of inputs that are correlated, as those of neighboring pixels are."""
    torch.manual_seed(0)
    inputs = torch.randn(400, 12).double() @ torch.randn(12, 30).double() + 0.3 * torch.randn(400, 30)
    return torch.randn(8, 30), inputs.T @ inputs


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 8])
def test_compensation_lowers_the_error_of_the_outputs(layer, bits):
    weights, gram = layer
    matrix = compensated(weights, gram, bits)
    assert error(weights, gram, matrix) < 0.6 * error(weights, gram, rounded(weights, bits))
    assert matrix.integers.abs().max() <= largest_integer(bits)


def test_the_weights_are_integers_times_scales_to_the_last_bit(layer):
    matrix = compensated(*layer, 4)
    exact = matrix.integers.double() * matrix.scales.double()[:, None]
    assert torch.equal(matrix.weights.double(), exact)
    assert torch.equal(matrix.scales, matrix.scales.bfloat16().float())


def test_uncorrelated_inputs_leave_nothing_to_compensate(layer):
    weights, _ = layer
    matrix = compensated(weights, torch.eye(30).double(), 4)
    assert torch.equal(matrix.integers, rounded(weights, 4).integers)


def test_one_output_is_as_good_as_any_other_choice_of_integers():
    """Of two inputs, one after the other, against all 49 pairs."""
    weights = torch.tensor([[1.0, 0.37]])
    gram = torch.tensor([[1.0, 0.9], [0.9, 1.0]]).double()
    found = compensated(weights, gram, 3)
    grid = torch.cartesian_prod(torch.arange(-3, 4), torch.arange(-3, 4)).double() * found.scales.double()
    errors = ((weights.double() - grid) @ gram * (weights.double() - grid)).sum(1)
    assert error(weights, gram, found) == pytest.approx(float(errors.min()))


@pytest.mark.parametrize("kind", ["zero", "dead inputs", "one image", "equal inputs"])
def test_a_singular_gram_matrix_does_no_harm(kind):
    torch.manual_seed(0)
    inputs = torch.rand(50, 20).double()
    match kind:
        case "zero":
            inputs[:] = 0
        case "dead inputs":
            inputs[:, ::2] = 0
        case "one image":
            inputs = inputs[:1]
        case _:
            inputs[:] = inputs[:, :1]
    weights = torch.randn(6, 20)
    gram = inputs.T @ inputs
    matrix = compensated(weights, gram, 4)
    assert error(weights, gram, matrix) <= error(weights, gram, rounded(weights, 4))


def test_channels_of_zeros_and_of_tiny_weights():
    weights = torch.stack([torch.zeros(5), torch.full((5,), 1e-38), torch.ones(5)])
    matrix = compensated(weights, torch.eye(5).double(), 4)
    assert matrix.weights[:2].abs().max() <= 1e-38
    torch.testing.assert_close(matrix.weights[2], torch.ones(5), rtol=0.005, atol=0)
