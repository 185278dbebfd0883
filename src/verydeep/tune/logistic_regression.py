"""A head for features that stay as they are: multinomial logistic regression, its strength cross-validated.

With the network frozen, learning is a convex problem: it has one optimum, which full-batch L-BFGS finds in
seconds, with no rate, no schedule and no luck. What is left to choose is the strength of regularization.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from torch.nn import functional

STRENGTHS = tuple(10.0 ** (1 - half / 2) for half in range(13))
"""From strong to weak, in steps of half a power of ten. Scikit-learn's C is 1 / (images x strength)."""

ITERATIONS = 200
TOLERANCE = 1e-5
"""Of the gradient's largest part, where the search ends; the loss is a mean over images, in nats."""
STANDSTILL = 1e-9
"""Change of the loss from one step to the next where it ends too: fp32 sees no smaller one."""
FLAT = 1e-9
"""Directions in which features vary by less than this part of the greatest variance are left out."""


@dataclass(frozen=True)
class LinearHead:
    """The last layer of a network, for features as they come from it."""

    weight: Float32[Tensor, "classes values"]
    bias: Float32[Tensor, " classes"]

    def __call__(self, features: Float32[Tensor, "count values"]) -> Float32[Tensor, "count classes"]:
        """Logits."""
        return functional.linear(features, self.weight, self.bias)


class Problem:
    """Logistic regression on standardized features, for heads that learn from some of the images each.

    The loss of a head is its mean cross-entropy in nats, plus half the strength times its squared weights;
    biases are free. All heads are searched for at once, as what costs time is to read the features: folds and
    the head of all images together cost little more than one. Each solution is where the next search starts.

    Features are turned to their principal axes, which changes neither loss nor optimum, so that each axis can
    be searched at its own scale: on 4,000 images of 512 values a path of eleven strengths took 150 to 480
    evaluations in place of 555 to 975.

    Args:
        features: of all images.
        labels: indices of classes; a class may be without images.
        classes: their number.
        learns: which images each head learns from; one head of all by default.
        weights: what an image of each class counts; all the same by default.
    """

    def __init__(
        self,
        features: Float32[Tensor, "count values"],
        labels: Int64[Tensor, " count"],
        classes: int,
        learns: Bool[Tensor, "heads count"] | None = None,
        weights: Float32[Tensor, " classes"] | None = None,
    ) -> None:
        deviations, self.mean = torch.std_mean(features.double(), 0, correction=0)
        scale = torch.where(deviations > 1e-6 * deviations.max(), deviations, torch.inf).reciprocal()
        standard = (features - self.mean) * scale
        self.variances, axes = _principal_axes(standard)
        self.turned = (standard @ axes).float()
        self.axes = axes * scale[:, None]
        self.labels = labels
        counts = (torch.ones(classes) if weights is None else weights)[labels]
        shares = counts[None] if learns is None else learns * counts
        self.shares = shares / shares.sum(1, keepdim=True)
        self.solution = torch.zeros(len(shares), classes, len(self.variances) + 1)

    def solve(self, strength: float) -> tuple[LinearHead, ...]:
        """The optimum of each head for ``strength``, for features as they were before standardizing."""
        scale = torch.cat([(0.1 * self.variances + strength).rsqrt(), torch.ones(1)])
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
            total = self._loss(values * scale, strength)
            total.backward()
            return total.detach()

        search.step(loss)
        self.solution = values.detach() * scale
        return tuple(map(self._head, self.solution))

    def _loss(self, heads: Float32[Tensor, "heads classes values"], strength: float) -> Float32[Tensor, ""]:
        """The sum over the heads."""
        weights, biases = heads[..., :-1], heads[..., -1]
        logits = functional.linear(self.turned, weights.flatten(0, 1), biases.flatten())
        chances = logits.view(len(self.labels), *biases.shape).log_softmax(2)
        places = self.labels[:, None, None].expand(-1, len(heads), 1)
        losses = -chances.gather(2, places).squeeze(2)  # (images, heads)
        return (losses.T * self.shares).sum() + strength / 2 * weights.square().sum()

    def _head(self, solution: Float32[Tensor, "classes values"]) -> LinearHead:
        weight = solution[:, :-1].double() @ self.axes.T
        return LinearHead(weight.float(), (solution[:, -1] - weight @ self.mean).float())


def _principal_axes(standard: Tensor) -> tuple[Tensor, Tensor]:
    """The variance along each axis, and the axes as columns; none along which nothing varies."""
    variances, axes = torch.linalg.eigh(standard.T @ standard / len(standard))
    varies = variances > FLAT * variances[-1]
    return variances[varies].float(), axes[:, varies]


@dataclass(frozen=True)
class Validated:
    """What heads of one strength say of images that they did not learn from."""

    strength: float
    logits: Float32[Tensor, "count classes"]
    """Of each image, by the head that learned from all other folds."""
    head: LinearHead
    """The one that learned from all images."""


def cross_validate(
    features: Float32[Tensor, "count values"],
    labels: Int64[Tensor, " count"],
    folds: Int64[Tensor, " count"],
    classes: int,
    weights: Float32[Tensor, " classes"] | None = None,
    strengths: Sequence[float] = STRENGTHS,
) -> Iterator[Validated]:
    """For each strength, the logits of every image by a head that was fitted to all other folds.

    What features are standardized by is taken from all images: it knows no label.

    Args:
        features: of all images.
        labels: indices of classes.
        folds: the fold of each image.
        classes: their number.
        weights: what an image of each class counts in learning.
        strengths: from strong to weak.
    """
    held = [folds == fold for fold in folds.unique()]
    learns = torch.stack([*(~here for here in held), torch.ones_like(held[0])])
    problem = Problem(features, labels, classes, learns, weights)
    for strength in strengths:
        *heads, head = problem.solve(strength)
        logits = torch.empty(len(labels), classes)
        for here, without in zip(held, heads, strict=True):
            logits[here] = without(features[here])
        yield Validated(strength, logits, head)
