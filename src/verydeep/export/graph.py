"""The module that is exported: from preprocessed images to logits, embedding and class maps, of any size."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from verydeep.models.blocks import Images, Maps
from verydeep.models.classifier import Classifier
from verydeep.models.fold_batch_norm import folded
from verydeep.runtime.bundle import CLASS_MAPS, EMBEDDING, LOGITS


class ExportGraph(nn.Module):
    """``model`` with its batch norms folded, and the outputs that prediction, embedding and heat maps need.

    ``logits``, without softmax; ``embedding``, the mean of the last feature map over its positions, as
    ``verydeep embed`` gives it; and for a linear head after a global average pool ``class_maps``, the
    evidence for each class at each position: their mean, with the bias, gives the logits (class activation
    maps, Zhou et al. 2016, eq. 2).
    """

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = folded(model)
        self.grid = model.architecture.head.grid
        has_class_maps = self.grid == 1 and not model.architecture.head.hidden
        self.outputs = (LOGITS, EMBEDDING, *((CLASS_MAPS,) if has_class_maps else ()))

    def forward(self, images: Images) -> tuple[Tensor, ...]:
        """The values of ``outputs``, in that order."""
        maps = self.model.features(images)
        embedding = maps.mean((2, 3))
        pooled = embedding if self.grid == 1 else average_pool(maps, self.grid).flatten(1)
        logits = self.model.head(pooled)
        if CLASS_MAPS not in self.outputs:
            return logits, embedding
        (linear,) = self.model.head_modules()
        assert isinstance(linear, nn.Linear)
        return logits, embedding, nn.functional.conv2d(maps, linear.weight[:, :, None, None])


def average_pool(maps: Maps, grid: int) -> Float[Tensor, "batch maps grid grid"]:
    """Adaptive average pooling as two matrix products, which every runtime has at every size.

    ONNX has no such operation for a size that is only known when the network runs.
    """
    rows, columns = (_averaging(maps, axis, grid) for axis in (2, 3))
    return rows @ maps @ columns.T


def _averaging(maps: Maps, axis: int, grid: int) -> Float[Tensor, "cells length"]:
    """A row for each cell of the grid, with the weights of the positions along ``axis`` that it averages."""
    length = maps.shape[axis]
    cells = torch.arange(grid, device=maps.device)[:, None]
    positions = torch.arange(length, device=maps.device)[None]
    starts, ends = cells * length // grid, ((cells + 1) * length + grid - 1) // grid
    is_inside = ((positions >= starts) & (positions < ends)).to(maps.dtype)
    return is_inside / is_inside.sum(1, keepdim=True)
