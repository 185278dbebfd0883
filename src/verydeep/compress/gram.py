"""Gram matrices of the inputs of layers: all that least squares needs to know of the calibration images.

A convolution is a matrix product: its inputs at one position are the values under its kernel (unfolded), so
a layer of weights W (outputs, inputs) turns a row x of inputs into W x + b. With the rows of all images in X,
X^T X is its Gram matrix, and the squared error of other weights V is the trace of (W - V) X^T X (W - V)^T.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32
from torch import Tensor

BLOCKS = 8
"""Of the columns: the matrix is symmetric, so 36 of 64 products of blocks are all."""


@dataclass(frozen=True)
class Gram:
    """Sums over the rows of inputs of one layer, with a last input that is always 1, for the bias."""

    matrix: Float[Tensor, "inputs inputs"]
    """X^T X. The last row and column are those of the constant input 1: the sums of the others, and in the
    corner the number of rows."""

    @property
    def rows(self) -> int:
        """How many rows were added."""
        return round(float(self.matrix[-1, -1]))

    @property
    def of_weights(self) -> Float[Tensor, "inputs inputs"]:
        """Without the constant input: the Gram matrix of ``weight_matrix``."""
        return self.matrix[:-1, :-1]

    @property
    def centered(self) -> Float[Tensor, "inputs inputs"]:
        """The same of inputs less their means, where the bias takes up the difference."""
        sums = self.matrix[-1, :-1].double()
        return self.of_weights.double() - torch.outer(sums, sums) / self.rows


def gram_of(rows: Float32[Tensor, "rows inputs"]) -> Gram:
    """The Gram matrix of ``rows``, summed in float32 and given in float64."""
    extended = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)
    inputs = extended.shape[1]
    matrix = torch.empty(inputs, inputs, dtype=torch.float64)
    width = -(-inputs // BLOCKS)
    for first in range(0, inputs, width):
        product = (extended[:, first:].T @ extended[:, first : first + width]).double()
        matrix[first:, first : first + width] = product
        matrix[first : first + width, first:] = product.T
    return Gram(matrix)
