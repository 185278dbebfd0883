"""Weights of a layer by least squares, from its inputs to given outputs: ridge regression of the difference.

The regression starts from given weights and shrinks the change to them, not the weights to zero: a fully
connected layer has one row an image and often as many inputs, and where the given weights are right already,
nothing changes.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from verydeep.compress.gram import Layer, weight_matrix

RIDGES = (10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5)
"""Strengths of the shrinkage, as shares of the mean variance of an input; held-out images choose one."""
HELD_OUT = 5
"""One image in so many is held out for this choice; then all of them fit the weights."""


@dataclass
class _Sums:
    """Of rows of inputs, with a last input that is 1, and of the differences that they are to make up for."""

    gram: Float[Tensor, "inputs inputs"]
    cross: Float[Tensor, "inputs outputs"]

    def add(self, rows: Tensor, differences: Tensor) -> None:
        self.gram += (rows.T @ rows).double()
        self.cross += (rows.T @ differences).double()

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


def _no_rows(inputs: int, outputs: int) -> _Sums:
    double = torch.float64
    return _Sums(torch.zeros(inputs, inputs, dtype=double), torch.zeros(inputs, outputs, dtype=double))


class LayerFit:
    """Collects rows of inputs and the wanted outputs of one layer, and gives it the best weights."""

    def __init__(self, layer: Layer) -> None:
        assert layer.bias is not None
        self.layer = layer
        self.start = torch.cat([weight_matrix(layer), layer.bias.detach()[:, None]], 1).T
        self.fitted = _no_rows(*self.start.shape)
        self.held_out = _no_rows(*self.start.shape)

    def add(
        self,
        rows: Float32[Tensor, "rows inputs"],
        wanted: Float32[Tensor, "rows outputs"],
        is_held_out: Bool[Tensor, " rows"],
    ) -> None:
        """Rows of inputs with the wanted outputs; those that are held out choose the shrinkage."""
        rows = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)
        differences = wanted - rows @ self.start
        self.fitted.add(rows[~is_held_out], differences[~is_held_out])
        self.held_out.add(rows[is_held_out], differences[is_held_out])

    def set_weights(self) -> None:
        """Change the weights and the bias of the layer in place."""
        ridge = min(RIDGES, key=lambda each: self.held_out.error(self.fitted.solved(each)))
        total = _Sums(self.fitted.gram + self.held_out.gram, self.fitted.cross + self.held_out.cross)
        weights, bias = (self.start + total.solved(ridge).float()).T, self.layer.bias
        assert bias is not None
        with torch.no_grad():
            self.layer.weight.copy_(weights[:, :-1].reshape(self.layer.weight.shape))
            bias.copy_(weights[:, -1])
