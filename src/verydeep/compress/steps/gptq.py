"""One weight matrix as integers, where each rounding error is compensated by the weights not yet rounded.

GPTQ (Frantar et al. 2022, arXiv 2210.17323, section 4 and algorithm 1), which rounds by the optimal brain
surgeon of Hassibi and Stork (1993). The scale of an output channel is its largest weight over the largest
integer: smaller scales, which clip, lower the error of the layer and cost more bits than they are worth
(docs/compact-file.md).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Float64, Int8
from torch import Tensor

from verydeep.compress.cholesky import damped_cholesky

DAMPING = 0.01
"""Added to the diagonal of the Gram matrix, as a share of its mean (Frantar et al. 2022, section 4)."""

_BLOCK = 128
"""Columns between two updates of all later columns (the same, "lazy batch updates")."""
_LEAST_SCALE = 2.0**-100
"""Far above the smallest normal float32, so that a scale times an integer is exact."""


@dataclass(frozen=True)
class IntegerMatrix:
    """Weights as integers with a scale for each output channel."""

    integers: Int8[Tensor, "outputs inputs"]
    scales: Float32[Tensor, " outputs"]
    """Each has the 8 significant bits of bfloat16."""

    @property
    def weights(self) -> Float32[Tensor, "outputs inputs"]:
        """Integers times scales: exact in float32, as a product has at most 15 significant bits."""
        return self.integers.float() * self.scales[:, None]


def largest_integer(bits: int) -> int:
    """The integers of ``bits`` bits run from minus this to this: 7 for 4 bits."""
    return (1 << (bits - 1)) - 1


def rounded(weights: Float[Tensor, "outputs inputs"], bits: int) -> IntegerMatrix:
    """``weights`` rounded to the nearest integers of ``bits`` bits, without compensation."""
    scales = _scales(weights, bits)
    integers = _nearest(weights.double(), scales[:, None].double(), largest_integer(bits))
    return IntegerMatrix(integers.to(torch.int8), scales)


def compensated(
    weights: Float[Tensor, "outputs inputs"], gram: Float64[Tensor, "inputs inputs"], bits: int
) -> IntegerMatrix:
    """``weights`` as integers of ``bits`` bits, with a small squared error of the outputs of the layer.

    Inputs with larger values come first, so that the later ones can compensate for their errors. Inputs that
    are always zero do no harm: the damping makes every Gram matrix invertible.

    Args:
        weights: a row for each output channel.
        gram: X^T X of the inputs of the layer.
        bits: 2 to 8.
    """
    order = gram.diagonal().argsort(descending=True, stable=True)
    scales = _scales(weights, bits)
    integers = _round_in_order(
        weights.double()[:, order], _inverse_root(gram[order][:, order]), scales.double(),
        largest_integer(bits),
    )  # fmt: skip
    return IntegerMatrix(integers[:, order.argsort()].to(torch.int8), scales)


def _scales(weights: Float[Tensor, "outputs inputs"], bits: int) -> Float32[Tensor, " outputs"]:
    scales = (weights.abs().amax(1).float() / largest_integer(bits)).clamp_min(_LEAST_SCALE)
    return scales.bfloat16().float()


def _nearest(weights: Tensor, scales: Tensor, largest: int) -> Tensor:
    return (weights / scales).round().clamp(-largest, largest)


def _inverse_root(gram: Float64[Tensor, "inputs inputs"]) -> Float64[Tensor, "inputs inputs"]:
    """The upper triangular U with U^T U = (gram + damping)^-1: its row i is how later weights compensate.

    With the rows and columns reversed, the Cholesky factor of the Gram matrix is that of its inverse: one
    triangular inverse, in place of an inverse and a second factorization.
    """
    identity = torch.eye(len(gram), dtype=gram.dtype)
    factor = damped_cholesky(gram.flip(0, 1), DAMPING).flip(0, 1)
    root: Tensor = torch.linalg.solve_triangular(factor, identity, upper=True)
    return root


def _round_in_order(
    weights: Float64[Tensor, "outputs inputs"],
    inverse_root: Float64[Tensor, "inputs inputs"],
    scales: Float64[Tensor, " outputs"],
    largest: int,
) -> Float64[Tensor, "outputs inputs"]:
    """The integers of ``weights``, column by column (Frantar et al. 2022, algorithm 1)."""
    remaining, integers = weights.clone(), torch.zeros_like(weights)
    inputs = weights.shape[1]
    for first in range(0, inputs, _BLOCK):
        end = min(first + _BLOCK, inputs)
        errors = torch.zeros_like(weights[:, first:end])
        for column in range(first, end):
            integers[:, column] = _nearest(remaining[:, column], scales, largest)
            error = remaining[:, column] - integers[:, column] * scales
            errors[:, column - first] = error / inverse_root[column, column]
            remaining[:, column:end] -= torch.outer(
                errors[:, column - first], inverse_root[column, column:end]
            )
        remaining[:, end:] -= errors @ inverse_root[first:end, end:]
    return integers
