"""Which places of a map spoke for a class: Grad-CAM and Grad-CAM++, in one forward and part of a backward.

With y the logit of the class, A_k the maps of the layer, Z their places and g_k = dy / dA_k:

Grad-CAM    relu(sum over k of a_k A_k), a_k = mean over places of g_k     Selvaraju et al. 2017, eq. 1, 2
Grad-CAM++  the same with a_k = sum over places of w_k relu(g_k),
            w_k = g_k^2 / (2 g_k^2 + (sum over places of A_k) g_k^3)      Chattopadhay et al. 2018, eq. 19

Under a head of nothing but a global average pool and the classes, Grad-CAM is the CAM of Zhou et al. 2016.
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
    """What each place of ``layer`` added to the logit of ``labels``, none below 0, at the size of its map.

    The model must be in eval.

    Raises:
        ArchitectureError: where the network has no such layer, or it gives no map.
    """
    maps, gradients = _maps_and_gradients(model, images, labels, layer)
    weights = gradients.mean((2, 3), keepdim=True)
    return (weights * maps).sum(1).relu()


def grad_cam_plus_plus(
    model: Classifier, images: Images, labels: Int64[Tensor, " batch"], layer: str
) -> Heat:
    """As ``grad_cam``; several things of one class in an image count alike, whatever their sizes.

    The paper's score is exp(y): a factor common to all maps of an image, which its map's scale swallows. So
    the values have no unit.
    """
    maps, gradients = _maps_and_gradients(model, images, labels, layer)
    squares = gradients.square()
    below = 2 * squares + maps.sum((2, 3), keepdim=True) * squares * gradients
    alphas = torch.where(below == 0, 0.0, squares / torch.where(below == 0, 1.0, below))
    weights = (alphas * gradients.relu()).sum((2, 3), keepdim=True)
    return (weights * maps).sum(1).relu()


def _maps_and_gradients(
    model: Classifier, images: Images, labels: Int64[Tensor, " batch"], layer: str
) -> tuple[Maps, Maps]:
    """The maps of ``layer``, and the gradient of each image's logit there; the backward goes no further."""
    output = feature_names(model)[-1]
    with torch.enable_grad():
        # Images that want a gradient make a graph even where all weights are frozen.
        values = taps(model, (layer, output))(images.detach().requires_grad_())
        score = values[output].gather(1, labels[:, None]).sum()
        (gradients,) = torch.autograd.grad(score, values[layer])
    return values[layer].detach(), gradients
