"""Grad-CAM and Grad-CAM++: evidence for a class at each position of a feature map.

One forward pass and a part of a backward pass. With y the logit of the class, A_k the channels of the map and
g_k = dy / dA_k:

Grad-CAM    relu(sum over k of a_k A_k), a_k = mean over positions of g_k    Selvaraju et al. 2017, eq. 1, 2
Grad-CAM++  the same with a_k = sum over positions of w_k relu(g_k),
            w_k = g_k^2 / (2 g_k^2 + (sum over positions of A_k) g_k^3)     Chattopadhay et al. 2018, eq. 19

For a head of a global average pool and one linear layer, Grad-CAM is the CAM of Zhou et al. 2016.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from verydeep.models.blocks import Images, Maps
from verydeep.models.classifier import Classifier
from verydeep.models.feature_extractor import taps
from verydeep.models.feature_steps import feature_names

Heat = Float[Tensor, "batch rows columns"]


def grad_cam(model: Classifier, images: Images, labels: Int64[Tensor, " batch"], layer: str) -> Heat:
    """The contribution of each position of ``layer`` to the logit of ``labels``, at least 0, in the map's
    size.

    The model must be in evaluation mode.

    Raises:
        ArchitectureError: if the network has no such layer, or its output is not a feature map.
    """
    maps, gradients = _maps_and_gradients(model, images, labels, layer)
    weights = gradients.mean((2, 3), keepdim=True)
    return (weights * maps).sum(1).relu()


def grad_cam_plus_plus(
    model: Classifier, images: Images, labels: Int64[Tensor, " batch"], layer: str
) -> Heat:
    """As ``grad_cam``, but several objects of one class have equal weight, independent of their size.

    The values have no unit: the paper's score exp(y) is a factor common to all channels of an image, and is
    left out.
    """
    maps, gradients = _maps_and_gradients(model, images, labels, layer)
    squares = gradients.square()
    denominator = 2 * squares + maps.sum((2, 3), keepdim=True) * squares * gradients
    alphas = torch.where(denominator == 0, 0.0, squares / torch.where(denominator == 0, 1.0, denominator))
    weights = (alphas * gradients.relu()).sum((2, 3), keepdim=True)
    return (weights * maps).sum(1).relu()


def _maps_and_gradients(
    model: Classifier, images: Images, labels: Int64[Tensor, " batch"], layer: str
) -> tuple[Maps, Maps]:
    """The maps of ``layer``, and the gradient of each image's logit with respect to them."""
    output = feature_names(model)[-1]
    with torch.enable_grad():
        # With images that require a gradient, there is a graph even if all weights are frozen.
        values = taps(model, (layer, output))(images.detach().requires_grad_())
        score = values[output].gather(1, labels[:, None]).sum()
        (gradients,) = torch.autograd.grad(score, values[layer])
    return values[layer].detach(), gradients
