"""Local response normalization of AlexNet (Krizhevsky et al. 2012, section 3.3), faster than torch's own.

Torch sums neighboring channels by a three-dimensional pooling and takes a power of each value. Here the sum
is a 1x1 convolution by a band matrix, and x^-0.75 is two square roots (measured in benchmarks/local_norm.py).
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

Maps = Float[Tensor, "batch maps rows columns"]

NEIGHBORS, ALPHA, BETA, K = 5, 1e-4, 0.75, 2.0
"""The constants of the paper."""


class LocalResponseNorm(nn.LocalResponseNorm):
    """x / (2 + 1e-4 * s)^0.75, where s is the sum of the squares of 5 neighboring channels."""

    def __init__(self) -> None:
        # Torch divides the sum by 5 and the paper does not: its alpha is 5 times the paper's.
        super().__init__(NEIGHBORS, alpha=NEIGHBORS * ALPHA, beta=BETA, k=K)

    def forward(self, maps: Maps) -> Maps:
        """The normalized ``maps``, of their dtype.

        Computed in fp32 at least; on a GPU with the precision of its convolutions (torch allows TF32 there).
        """
        # Torch's own has a form in ONNX, and no convolution that would count as multiply-adds.
        if torch.compiler.is_exporting() or maps.is_meta:
            same: Tensor = super().forward(maps)
            return same
        return _normalize(maps)


class _Normalize(torch.autograd.Function):
    """With its gradient by hand: autograd would keep and read three more arrays."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        values = maps if maps.dtype == torch.float64 else maps.float()
        root = _sums(values.square(), ALPHA, K).rsqrt_()
        power = root.sqrt().mul_(root)  # (k + alpha * s)^-0.75
        ctx.save_for_backward(values, root, power)
        return (values * power).to(maps.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        values, root, power = ctx.saved_tensors
        direct = power * gradient
        through = (direct * values).mul_(root).mul_(root)
        direct.addcmul_(values, _sums(through, -2 * ALPHA * BETA))
        result: Tensor = direct.to(gradient.dtype)
        return result


_normalize: Callable[[Tensor], Tensor] = _Normalize.apply


def _sums(values: Maps, factor: float, constant: float = 0.0) -> Maps:
    """``constant`` + ``factor`` times the sum over ``NEIGHBORS`` channels around each one."""
    channel = torch.arange(values.shape[1], device=values.device)
    is_near = (channel[:, None] - channel).abs() <= NEIGHBORS // 2
    weight = is_near.to(values.dtype).mul_(factor)[:, :, None, None]
    bias = torch.full_like(channel, constant, dtype=values.dtype)
    with torch.autocast(values.device.type, enabled=False):
        sums: Tensor = functional.conv2d(values, weight, bias)
    return sums
