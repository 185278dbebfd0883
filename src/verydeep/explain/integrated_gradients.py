"""Which pixels a logit answers to: integrated gradients and SmoothGrad, many points of an image a batch.

With y the logit of the class as a function of the image x:

integrated gradients  (x - b) * mean of dy/dx on the way from the baseline b to x  Sundararajan et al. 2017
SmoothGrad            mean of dy/dx at x with noise of deviation s                 Smilkov et al. 2017
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from verydeep.models.blocks import Images
from verydeep.models.classifier import Classifier

STEPS = 50
"""Points on the way: Sundararajan et al. 2017, section 5, find 20 to 300 enough."""
SAMPLES = 50
"""Noisy copies: Smilkov et al. 2017 see little gain past 50."""
NOISE = 0.15
"""Deviation of the noise as a part of the image's range: Smilkov et al. 2017 take 10 % to 20 %."""
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
    """What each value of ``images`` added to the logit of ``labels`` on the way from ``baselines``, signed.

    Over an image they sum to logit(image) - logit(baseline), the better the more steps (Sundararajan et al.
    2017, proposition 1); the integral is Gauss and Legendre's. Images are as the network sees them, the model
    must be in eval, and no more than ``batch_size`` points are held at a time.
    """
    places, weights = np.polynomial.legendre.leggauss(steps)  # on [-1, 1], of weight 2 in all
    parts = torch.tensor((places + 1) / 2).to(images)[:, None, None, None]
    shares = torch.tensor(weights / 2).to(images)
    means = [
        _weighted_gradient(model, _batches(start + parts * (image - start), shares, batch_size), label)
        for image, start, label in zip(images, baselines, labels, strict=True)
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
    """How the logit of ``labels`` answers to each value of ``images``, averaged over noisy copies, signed.

    The noise has the deviation ``noise`` times the range of the image's values, the same in every call.
    """
    generator = torch.Generator().manual_seed(SEED)
    drawn = torch.randn((samples, *images.shape[1:]), generator=generator).to(images)
    shares = torch.full((samples,), 1 / samples).to(images)
    spans = [noise * (image.max() - image.min()) for image in images]
    return torch.stack(
        [
            _weighted_gradient(model, _batches(image + span * drawn, shares, batch_size), label)
            for image, span, label in zip(images, spans, labels, strict=True)
        ]
    )


def _batches(images: Images, weights: Float[Tensor, " count"], size: int) -> Iterator[Batch]:
    yield from zip(images.split(size), weights.split(size), strict=True)


def _weighted_gradient(
    model: Classifier, batches: Iterator[Batch], label: Int64[Tensor, ""]
) -> Float[Tensor, "channels height width"]:
    """The gradients of the logit of ``label`` at all images, each times its weight, added up."""
    total = torch.zeros(())
    for images, weights in batches:
        with torch.enable_grad():
            points = images.detach().requires_grad_()
            score = (model(points)[:, label] * weights).sum()
            total = torch.autograd.grad(score, points)[0].sum(0) + total.to(points)
    return total
