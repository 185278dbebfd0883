"""Batch norm folded into the convolution before it, for inference: fewer operations, the same logits."""

import copy
from collections.abc import Iterator, Sequence

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from verydeep.models.blocks import ResidualBlock
from verydeep.models.classifier import Classifier


def folded(model: Classifier) -> Classifier:
    """A copy of ``model`` in evaluation mode, with every batch norm folded where that is exact.

    Computed in float64. A norm after a max pool is folded if all its scales are positive, because only then
    the largest of scaled values is the scaled largest; otherwise it stays.
    """
    copied = copy.deepcopy(model).eval()
    for parent, convolution, norm, is_after_pool in list(_pairs(copied)):
        conv, bn = parent.get_submodule(convolution), parent.get_submodule(norm)
        assert isinstance(conv, nn.Conv2d) and isinstance(bn, nn.BatchNorm2d)
        if is_after_pool and bool((bn.weight <= 0).any()):
            continue
        dtype = conv.weight.dtype
        setattr(parent, convolution, fuse_conv_bn_eval(conv.double(), bn.double()).to(dtype))
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
