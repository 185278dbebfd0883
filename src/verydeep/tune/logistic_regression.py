"""Multinomial logistic regression on features: the linear probe, and its cross-validation over the L2
strength.

With the network frozen, training is a convex problem with one optimum. Full-batch L-BFGS finds it in seconds,
without a learning rate or a schedule. The only hyperparameter is the L2 regularization strength.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from torch.nn import functional

L2_STRENGTHS = tuple(10.0 ** (1 - half / 2) for half in range(13))
"""L2 strengths, from strong to weak by half powers of ten; scikit-learn's C is 1 / (images x l2)."""

ITERATIONS = 200
TOLERANCE = 1e-5
"""Largest component of the gradient at which the search ends; the loss is a mean over images, in nats."""
STANDSTILL = 1e-9
"""Change of the loss between two steps at which it ends too: fp32 has no smaller one."""
FLAT = 1e-9
"""Directions in which features vary by less than this share of the largest variance are left out."""


@dataclass(frozen=True)
class LinearHead:
    """The last layer of a network: a linear classifier on its features."""

    weight: Float32[Tensor, "classes values"]
    bias: Float32[Tensor, " classes"]

    def __call__(self, features: Float32[Tensor, "count values"]) -> Float32[Tensor, "count classes"]:
        """Logits."""
        return functional.linear(features, self.weight, self.bias)


class LogisticRegression:
    """Logistic regression on standardized features, for several heads at once, each trained on some images.

    The loss of a head is its mean cross-entropy in nats, plus half the L2 strength times its squared weights;
    biases are not regularized. All heads are solved together, as reading the features takes most of the time:
    all folds and the final head cost little more than one. Each solution is the start of the next search.

    Features are rotated to their principal axes, which changes neither loss nor optimum, so that each axis is
    searched at its own scale: on 4,000 images of 512 values a path of eleven strengths took 150 to 480
    evaluations instead of 555 to 975.

    Args:
        features: of all images.
        labels: indices of classes; a class may have no images.
        classes: their number.
        trains_on: which images each head is trained on; by default one head on all.
        weights: the loss weight of an image of each class; by default all the same.
    """

    def __init__(
        self,
        features: Float32[Tensor, "count values"],
        labels: Int64[Tensor, " count"],
        classes: int,
        trains_on: Bool[Tensor, "heads count"] | None = None,
        weights: Float32[Tensor, " classes"] | None = None,
    ) -> None:
        deviations, self.mean = torch.std_mean(features.double(), 0, correction=0)
        scale = torch.where(deviations > 1e-6 * deviations.max(), deviations, torch.inf).reciprocal()
        standard = (features - self.mean) * scale
        self.variances, axes = _principal_axes(standard)
        self.rotated = (standard @ axes).float()
        self.axes = axes * scale[:, None]
        self.labels = labels
        counts = (torch.ones(classes) if weights is None else weights)[labels]
        shares = counts[None] if trains_on is None else trains_on * counts
        self.shares = shares / shares.sum(1, keepdim=True)
        self.solution = torch.zeros(len(shares), classes, len(self.variances) + 1)

    def solve(self, l2: float) -> tuple[LinearHead, ...]:
        """The optimum of each head at the strength ``l2``, for features before standardization."""
        scale = torch.cat([(0.1 * self.variances + l2).rsqrt(), torch.ones(1)])
        values = (self.solution / scale).requires_grad_()
        search = torch.optim.LBFGS(
            [values],
            max_iter=ITERATIONS,
            tolerance_grad=TOLERANCE,
            tolerance_change=STANDSTILL,
            history_size=20,
            line_search_fn="strong_wolfe",
        )

        def loss() -> Tensor:
            search.zero_grad()
            total = self._loss(values * scale, l2)
            total.backward()
            return total.detach()

        search.step(loss)
        self.solution = values.detach() * scale
        return tuple(map(self._head, self.solution))

    def _loss(self, heads: Float32[Tensor, "heads classes values"], l2: float) -> Float32[Tensor, ""]:
        """The sum over the heads."""
        weights, biases = heads[..., :-1], heads[..., -1]
        logits = functional.linear(self.rotated, weights.flatten(0, 1), biases.flatten())
        log_probabilities = logits.view(len(self.labels), *biases.shape).log_softmax(2)
        targets = self.labels[:, None, None].expand(-1, len(heads), 1)
        losses = -log_probabilities.gather(2, targets).squeeze(2)  # (images, heads)
        return (losses.T * self.shares).sum() + l2 / 2 * weights.square().sum()

    def _head(self, solution: Float32[Tensor, "classes values"]) -> LinearHead:
        weight = solution[:, :-1].double() @ self.axes.T
        return LinearHead(weight.float(), (solution[:, -1] - weight @ self.mean).float())


def _principal_axes(standard: Tensor) -> tuple[Tensor, Tensor]:
    """The variance along each axis, and the axes as columns; axes without variance are left out."""
    variances, axes = torch.linalg.eigh(standard.T @ standard / len(standard))
    varies = variances > FLAT * variances[-1]
    return variances[varies].float(), axes[:, varies]


@dataclass(frozen=True)
class CrossValidated:
    """Predictions at one L2 strength, for images that the predicting head was not trained on."""

    l2: float
    logits: Float32[Tensor, "count classes"]
    """Of each image, by the head that was trained on all other folds."""
    head: LinearHead
    """The one that was trained on all images."""


def cross_validate(
    features: Float32[Tensor, "count values"],
    labels: Int64[Tensor, " count"],
    folds: Int64[Tensor, " count"],
    classes: int,
    weights: Float32[Tensor, " classes"] | None = None,
    strengths: Sequence[float] = L2_STRENGTHS,
) -> Iterator[CrossValidated]:
    """For each L2 strength, the logits of every image by a head that was trained on all other folds.

    The mean and deviation for standardization are of all images: they use no label.

    Args:
        features: of all images.
        labels: indices of classes.
        folds: the fold of each image.
        classes: their number.
        weights: the loss weight of an image of each class.
        strengths: from strong to weak.
    """
    held_out = [folds == fold for fold in folds.unique()]
    trains_on = torch.stack([*(~fold for fold in held_out), torch.ones_like(held_out[0])])
    problem = LogisticRegression(features, labels, classes, trains_on, weights)
    for l2 in strengths:
        *heads, head = problem.solve(l2)
        logits = torch.empty(len(labels), classes)
        for fold, trained_on_others in zip(held_out, heads, strict=True):
            logits[fold] = trained_on_others(features[fold])
        yield CrossValidated(l2, logits, head)
