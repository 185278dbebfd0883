"""Weights of a layer by least squares, from its inputs to given outputs: ridge regression of the difference.

The regression starts from given weights and shrinks the change to them, not the weights to zero: a fully
connected layer has one row an image and often as many inputs, and where the given weights are right already,
nothing changes.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from verydeep.compress.gram import gram_of
from verydeep.compress.layer_inputs import Layer, weight_matrix

RIDGES = (10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5)
"""Strengths of the shrinkage, as shares of the mean variance of an input; held-out images choose one."""
HELD_OUT = 5
"""One image in so many is held out for this choice; then all of them fit the weights."""


@dataclass(frozen=True)
class _Sums:
    """Of rows of inputs, with a last input that is 1, and of the differences that they are to make up for."""

    gram: Float[Tensor, "inputs inputs"]
    cross: Float[Tensor, "inputs outputs"]

    def __add__(self, other: "_Sums") -> "_Sums":
        return _Sums(self.gram + other.gram, self.cross + other.cross)

    def solved(self, ridge: float) -> Float[Tensor, "inputs outputs"]:
        """The change of weights and bias; the bias is not shrunk."""
        count = self.gram[-1, -1]
        means, mean_differences = self.gram[-1, :-1] / count, self.cross[-1] / count
        gram = self.gram[:-1, :-1] - count * torch.outer(means, means)
        cross = self.cross[:-1] - count * torch.outer(means, mean_differences)
        shrinkage = ridge * gram.diagonal().mean().clamp_min(1e-12)
        gram.diagonal().add_(shrinkage)
        change = torch.linalg.solve(gram, cross)  # rounding may leave it not quite positive definite
        return torch.cat([change, (mean_differences - means @ change)[None]])

    def error(self, change: Tensor) -> float:
        """The squared error that is left of the differences, less a constant."""
        return float((change * (self.gram @ change)).sum() - 2 * (change * self.cross).sum())


def fit_layer(
    layer: Layer,
    rows: Float32[Tensor, "rows inputs"],
    wanted: Float32[Tensor, "rows outputs"],
    images: Int64[Tensor, " rows"],
) -> None:
    """Give ``layer`` the weights and the bias, in place, that turn ``rows`` into ``wanted`` best.

    Args:
        layer: with weights to start from, and a bias.
        rows: its inputs.
        wanted: the outputs.
        images: the number of the image of each row; some images choose the shrinkage.
    """
    assert layer.bias is not None
    start = torch.cat([weight_matrix(layer), layer.bias.detach()[:, None]], 1).T
    is_held_out = images % HELD_OUT == HELD_OUT - 1
    fitted, held_out = (_sums(rows[chosen], wanted[chosen], start) for chosen in (~is_held_out, is_held_out))
    ridge = min(RIDGES, key=lambda each: held_out.error(fitted.solved(each)))
    weights = (start + (fitted + held_out).solved(ridge).float()).T
    with torch.no_grad():
        layer.weight.copy_(weights[:, :-1].reshape(layer.weight.shape))
        layer.bias.copy_(weights[:, -1])


def _sums(rows: Tensor, wanted: Tensor, start: Float32[Tensor, "inputs outputs"]) -> _Sums:
    extended = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)
    cross = extended.T @ (wanted - extended @ start)
    return _Sums(gram_of(rows).matrix, cross.double())
