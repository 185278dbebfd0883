"""The Cholesky factor of a Gram matrix, with so much on its diagonal as rounding asks for."""

import torch
from jaxtyping import Float64
from torch import Tensor

STEPS = 5
"""From the least share of the mean of the diagonal, ten times as much in each."""


def ridged_cholesky(
    gram: Float64[Tensor, "inputs inputs"], least_ridge: float
) -> Float64[Tensor, "inputs inputs"]:
    """The lower triangular L with L L^T = ``gram`` + ridge * I.

    The ridge is a share of the mean of the diagonal: ``least_ridge``, or, where images are so much alike that
    rounding leaves no positive definite matrix, ten times as much until it is one.
    """
    mean = gram.diagonal().mean()
    if not mean > 0:
        return torch.eye(len(gram), dtype=gram.dtype)
    factor: Tensor
    for step in range(STEPS):
        ridged = gram.clone()
        ridged.diagonal().add_(least_ridge * 10**step * mean)
        factor, failed = torch.linalg.cholesky_ex(ridged)
        if not failed:
            return factor
    return torch.eye(len(gram), dtype=gram.dtype) * mean.sqrt()  # nothing but rounding is left
