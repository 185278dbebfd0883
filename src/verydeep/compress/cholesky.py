"""The Cholesky factor of a damped Gram matrix, which float32 sums may have left slightly indefinite."""

import torch
from jaxtyping import Float64
from torch import Tensor

from verydeep.errors import CompressionError

LEAST_DAMPING = 1e-12
GROWTH = 10.0
MOST_TRIES = 30


def damped_cholesky(gram: Float64[Tensor, "inputs inputs"], share: float) -> Float64[Tensor, "inputs inputs"]:
    """The lower triangular L with L L^T = ``gram`` + damping * I.

    The damping is ``share`` of the mean of the diagonal, and more only where the matrix is still indefinite:
    inputs that hardly vary around a large mean are known to the rounding of their sums only.

    Raises:
        CompressionError: where the matrix is not finite.
    """
    diagonal = gram.diagonal()
    damping = max(LEAST_DAMPING, share * float(diagonal.mean()))
    factor: Tensor
    for _ in range(MOST_TRIES if gram.isfinite().all() else 0):
        factor, problem = torch.linalg.cholesky_ex(gram + torch.diag(torch.full_like(diagonal, damping)))
        if not problem:
            return factor
        damping *= GROWTH
    raise CompressionError("the activations of the network are not finite; train it again")
