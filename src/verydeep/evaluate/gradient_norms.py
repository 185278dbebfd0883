"""What reaches each layer on the way back: the norm of its gradient, measured on one batch."""

import copy

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from verydeep.models.classifier import Classifier


def gradient_norms(
    model: Classifier, images: Float[Tensor, "batch channels height width"], labels: Int64[Tensor, " batch"]
) -> tuple[float, ...]:
    """The norm of the gradient of each layer's weights, from the image to the classes.

    The loss is the mean cross-entropy of the batch, batch norm takes the batch's own statistics, and the
    projections of shortcuts are left out. Computed in float64, where what has all but vanished is not yet
    nothing. ``model`` is not changed.
    """
    probe = copy.deepcopy(model).train().double()
    functional.cross_entropy(probe(images.double()), labels).backward()
    weights = [
        module.weight
        for name, module in probe.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "downsample" not in name
    ]
    return tuple(float(weight.grad.norm()) for weight in weights if weight.grad is not None)
