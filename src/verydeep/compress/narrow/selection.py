"""Which channels to keep: optimal brain surgeon on the Gram matrix of the layer that takes them in.

To remove inputs of a layer and adjust the weights of the others costs a squared error that has a closed form
(LeCun et al. 1989; Hassibi and Stork 1992, eq. 5, for groups of weights), as in Optimal Brain Compression
(Frantar and Alistarh 2022, sec. 4).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from verydeep.compress.cholesky import damped_cholesky

RIDGE = 1e-4
"""Of the mean of the diagonal, added to it: with few images some inputs are combinations of others."""
SHARE = 1 / 8
"""Of the channels that are left are removed in a round, or one; then the costs are computed again."""


@dataclass(frozen=True)
class Removal:
    """The channels of one width in the order in which they are removed."""

    order: Int64[Tensor, " channels"]
    errors: Float[Tensor, " counts"]
    """The squared error of the layer that takes them in, relative to the variance of its outputs, with 0, 1,
    ... removed; all but one can be."""

    def kept(self, count: int) -> Int64[Tensor, " kept"]:
        """The indices of the ``count`` channels that are removed last, ascending."""
        return self.order[len(self.order) - count :].sort().values

    def error(self, count: int) -> float:
        """The relative squared error where ``count`` are kept."""
        return float(self.errors[len(self.order) - count])


def removal_order(
    gram: Float[Tensor, "inputs inputs"],
    weights: Float[Tensor, "outputs inputs"],
    columns: int,
) -> Removal:
    """The order in which channels are removed, the least important first.

    Args:
        gram: of the inputs of a layer, centered.
        weights: of this layer; ``columns`` of its inputs belong to each channel.
        columns: see ``weights``.
    """
    inverse = torch.cholesky_inverse(damped_cholesky(gram.double(), RIDGE).float())
    weights, variance = weights.float().clone(), _variance(gram, weights)
    left = torch.arange(weights.shape[1] // columns)
    order: list[Tensor] = []
    errors = [0.0]
    while len(left) > 1:
        costs = _costs(inverse, weights, columns)
        order_now = costs.argsort()
        chosen = order_now[: max(1, int(SHARE * len(left)))]
        staying = order_now[len(chosen) :].sort().values
        gone, kept = columns_of(chosen, columns), columns_of(staying, columns)
        block, removed = inverse[gone][:, gone], weights[:, gone]
        error = float((torch.linalg.solve(block, removed.T) * removed.T).sum()) / variance
        # The error of channels that are removed together is known only for all of them.
        errors += [errors[-1] + error * share / len(chosen) for share in range(1, len(chosen) + 1)]
        factor = torch.linalg.solve(block, inverse[gone][:, kept])  # (removed, inputs)
        weights = weights[:, kept] - removed @ factor
        inverse = inverse[kept][:, kept] - inverse[kept][:, gone] @ factor
        order += left[chosen]
        left = left[staying]
    return Removal(torch.stack([*order, *left]), torch.tensor(errors))


def _variance(gram: Tensor, weights: Tensor) -> float:
    return max(1e-12, float(((weights.double() @ gram.double()) * weights).sum()))


def _costs(inverse: Tensor, weights: Tensor, columns: int) -> Float[Tensor, " channels"]:
    """The squared error of removing each channel alone: the trace of W_g (H^-1)_gg^-1 W_g^T."""
    channels = weights.shape[1] // columns
    blocks = inverse.view(channels, columns, channels, columns).diagonal(dim1=0, dim2=2).permute(2, 0, 1)
    own = weights.view(len(weights), channels, columns).permute(1, 2, 0)  # (channels, columns, outputs)
    costs: Tensor = (torch.linalg.solve(blocks, own) * own).sum((1, 2))
    return costs


def columns_of(channels: Int64[Tensor, " channels"], columns: int) -> Int64[Tensor, " inputs"]:
    """The indices of the inputs that belong to ``channels``, where each has ``columns``."""
    return (channels[:, None] * columns + torch.arange(columns)).flatten()
