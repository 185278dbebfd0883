"""Integrated gradients and SmoothGrad: the influence of each pixel on a logit, from many gradients per image.

With y the logit of the class as a function of the image x:

integrated gradients  (x - b) * mean of dy/dx on the line from the baseline b to x  Sundararajan et al. 2017
SmoothGrad            mean of dy/dx at x with noise of standard deviation s         Smilkov et al. 2017
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from verydeep.models.blocks import Images
from verydeep.models.classifier import Classifier

STEPS = 50
"""Points on the line; Sundararajan et al. 2017, section 5, recommend 20 to 300."""
SAMPLES = 50
"""Noisy copies; Smilkov et al. 2017 report little improvement beyond 50."""
NOISE = 0.15
"""Standard deviation of the noise relative to the image's range; Smilkov et al. 2017 use 10 % to 20 %."""
SEED = 0

Batch = tuple[Images, Tensor]
"""Images, and the weight of each."""


def integrated_gradients(
    model: Classifier,
    images: Images,
    labels: Int64[Tensor, " batch"],
    baselines: Images,
    *,
    steps: int = STEPS,
    batch_size: int = 8,
) -> Images:
    """The signed contribution of each value of ``images`` to the logit of ``labels``, relative to
    ``baselines``.

    The contributions of an image sum to logit(image) - logit(baseline), more exactly with more steps
    (completeness: Sundararajan et al. 2017, proposition 1). The integral is computed by Gauss-Legendre
    quadrature. Images are preprocessed, the model must be in evaluation mode, and a batch has at most
    ``batch_size`` points.
    """
    nodes, node_weights = np.polynomial.legendre.leggauss(steps)  # on [-1, 1]; the weights sum to 2
    fractions = torch.tensor((nodes + 1) / 2).to(images)[:, None, None, None]
    weights = torch.tensor(node_weights / 2).to(images)
    means = [
        _weighted_gradient(
            model, _batches(baseline + fractions * (image - baseline), weights, batch_size), label
        )
        for image, baseline, label in zip(images, baselines, labels, strict=True)
    ]
    return (images - baselines) * torch.stack(means)


def smooth_grad(
    model: Classifier,
    images: Images,
    labels: Int64[Tensor, " batch"],
    *,
    samples: int = SAMPLES,
    noise: float = NOISE,
    batch_size: int = 8,
) -> Images:
    """The gradient of the logit of ``labels`` by each value of ``images``, averaged over noisy copies.

    The standard deviation of the noise is ``noise`` times the range of the image's values. The noise is the
    same in every call.
    """
    generator = torch.Generator().manual_seed(SEED)
    normal = torch.randn((samples, *images.shape[1:]), generator=generator).to(images)
    weights = torch.full((samples,), 1 / samples).to(images)
    deviations = [noise * (image.max() - image.min()) for image in images]
    return torch.stack(
        [
            _weighted_gradient(model, _batches(image + deviation * normal, weights, batch_size), label)
            for image, deviation, label in zip(images, deviations, labels, strict=True)
        ]
    )


def _batches(images: Images, weights: Float[Tensor, " count"], size: int) -> Iterator[Batch]:
    yield from zip(images.split(size), weights.split(size), strict=True)


def _weighted_gradient(
    model: Classifier, batches: Iterator[Batch], label: Int64[Tensor, ""]
) -> Float[Tensor, "channels height width"]:
    """The weighted sum of the gradients of the logit of ``label`` at all images."""
    total = torch.zeros(())
    for images, weights in batches:
        with torch.enable_grad():
            points = images.detach().requires_grad_()
            score = (model(points)[:, label] * weights).sum()
            total = torch.autograd.grad(score, points)[0].sum(0) + total.to(points)
    return total
