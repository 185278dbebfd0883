"""Muon: momentum whose steps are orthogonalized, so that all directions are learned at one rate.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the form for convolutions,
with weights kept at a fixed norm, is that of Jordan's CIFAR-10 speed record (arXiv 2404.00498 and later).
"""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic polynomial that moves singular values of at most 1 toward 1."""
NEWTON_SCHULZ_STEPS = 3


class Muon(Optimizer):
    """Orthogonalized Nesterov momentum, for weights as matrices of (outputs, everything else)."""

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.dtype = dtype
        """Precision of the orthogonalization; bfloat16 is enough, where the machine is fast at it."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step; ``closure``, where given, computes loss and gradients first, and the loss is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, weight.grad, group)
        return loss

    def _update(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(gradient)
        momentum = state["momentum"].mul_(group["momentum"]).add_(gradient)
        direction = gradient.add(momentum, alpha=group["momentum"])  # Nesterov momentum
        # A weight kept at norm sqrt(outputs): a step then turns it by the same angle in every layer.
        weight.mul_(len(weight) ** 0.5 / weight.norm().clamp_min(1e-12))
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        step = orthogonalize(direction.flatten(1).to(self.dtype))
        weight.add_(step.view_as(weight), alpha=-group["lr"])


def orthogonalize(matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """Approximately the nearest matrix whose singular values are all 1, by Newton-Schulz iteration."""
    a, b, c = NEWTON_SCHULZ
    x: Tensor = matrix / matrix.norm().clamp_min(1e-12)
    if transposed := len(matrix) > matrix.shape[1]:
        x = x.T
    # Each step multiplies x from the left by a polynomial of its Gram matrix. These polynomials commute:
    # their product, and the Gram matrix after each step, need no product with x itself, the longer side.
    gram = x @ x.T
    product: Tensor | None = None
    for step in range(NEWTON_SCHULZ_STEPS):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor if product is None else factor @ product
        if step + 1 < NEWTON_SCHULZ_STEPS:
            gram = factor @ (factor @ gram)
    assert product is not None
    x = product @ x
    return x.T if transposed else x
