"""The norm of the gradient of each layer, measured on one batch: vanishing and exploding gradients."""

import copy

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from verydeep.models.classifier import Classifier


def gradient_norms(
    model: Classifier, images: Float[Tensor, "batch channels height width"], labels: Int64[Tensor, " batch"]
) -> tuple[float, ...]:
    """The norm of the gradient of each layer's weights, from the first layer to the last.

    The loss is the mean cross-entropy of the batch. Batch norm uses the statistics of the batch. The
    projections of shortcuts are left out. Computed in float64, so that very small gradients do not become
    zero. ``model`` is not changed.
    """
    probe = copy.deepcopy(model).train().double()
    functional.cross_entropy(probe(images.double()), labels).backward()
    weights = [
        module.weight
        for name, module in probe.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "downsample" not in name
    ]
    return tuple(float(weight.grad.norm()) for weight in weights if weight.grad is not None)
