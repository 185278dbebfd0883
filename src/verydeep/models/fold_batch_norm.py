"""Batch norm folded into the convolution before it, for inference: fewer operations, the same logits."""

import copy
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from verydeep.models.blocks import ResidualBlock
from verydeep.models.classifier import Classifier


def folded(model: Classifier) -> Classifier:
    """A copy of ``model`` in evaluation mode, with every batch norm folded where that is exact.

    Computed in float64. A norm after a max pool is folded if all its scales are positive, because only then
    the largest of scaled values is the scaled largest; otherwise it stays.
    """
    copied = copy.deepcopy(model).eval()
    for parent, convolution, norm, is_after_pool in list(_pairs(copied)):
        scale, shift = _affine(parent.get_submodule(norm))
        if is_after_pool and bool((scale <= 0).any()):
            continue
        setattr(parent, convolution, _scaled(parent.get_submodule(convolution), scale, shift))
        setattr(parent, norm, nn.Identity())
    return copied


def _pairs(model: nn.Module) -> Iterator[tuple[nn.Module, str, str, bool]]:
    """Each convolution and its norm: their parent, their names in it, and whether a max pool is between."""
    for module in model.modules():
        names = _names_in_order(module)
        children = [module.get_submodule(name) for name in names]
        for index, child in enumerate(children):
            if not isinstance(child, nn.BatchNorm2d):
                continue
            before = index - 1
            is_after_pool = isinstance(children[before], nn.MaxPool2d)
            before -= is_after_pool
            if before >= 0 and isinstance(children[before], nn.Conv2d):
                yield module, names[before], names[index], is_after_pool


def _names_in_order(module: nn.Module) -> Sequence[str]:
    """The names of the child modules in the order in which they run."""
    if isinstance(module, ResidualBlock):
        return module.body
    return [name for name, _ in module.named_children()]


def _affine(norm: nn.Module) -> tuple[Float64[Tensor, " channels"], Float64[Tensor, " channels"]]:
    """Scale and shift of a norm in evaluation mode (Ioffe and Szegedy 2015, algorithm 2, line 11)."""
    assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
    return scale, norm.bias.detach().double() - norm.running_mean.double() * scale


def _scaled(
    convolution: nn.Module, scale: Float64[Tensor, " channels"], shift: Float64[Tensor, " channels"]
) -> nn.Conv2d:
    """``convolution`` with its output multiplied by ``scale`` and shifted."""
    assert isinstance(convolution, nn.Conv2d)
    result = copy.deepcopy(convolution)
    bias = torch.zeros_like(scale) if convolution.bias is None else convolution.bias.detach().double()
    weight = convolution.weight.detach().double() * scale[:, None, None, None]
    result.weight = nn.Parameter(weight.to(convolution.weight.dtype), requires_grad=False)
    result.bias = nn.Parameter((bias * scale + shift).to(convolution.weight.dtype), requires_grad=False)
    return result
