"""A head for features that stay as they are: multinomial logistic regression, its strength cross-validated.

With the network frozen, learning is a convex problem: it has one optimum, which full-batch L-BFGS finds in
seconds, with no rate, no schedule and no luck. What is left to choose is the strength of regularisation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.nn import functional

STRENGTHS = tuple(10.0 ** (1 - half / 2) for half in range(13))
"""From strong to weak, in steps of half a power of ten. Scikit-learn's C is 1 / (images x strength)."""

ITERATIONS = 200
TOLERANCE = 1e-5
"""Of the gradient's largest part, where the search ends; the loss is a mean over images, in nats."""
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
    """Logistic regression on standardised features, solved for one strength after another.

    The loss is the mean cross-entropy in nats, plus half the strength times the squared weights; biases are
    free. Each solution is where the next search starts. Features are turned to their principal axes, which
    changes neither loss nor optimum, so that each axis can be searched at its own scale: on 4,000 images of
    512 values the whole path took 150 to 480 evaluations in place of 555 to 975.

    Args:
        features: of the images to learn from.
        labels: indices of classes; a class may be without images.
        classes: their number.
        weights: what an image of each class counts; all the same by default.
    """

    def __init__(
        self,
        features: Float32[Tensor, "count values"],
        labels: Int64[Tensor, " count"],
        classes: int,
        weights: Float32[Tensor, " classes"] | None = None,
    ) -> None:
        deviations, self.mean = torch.std_mean(features.double(), 0, correction=0)
        scale = torch.where(deviations > 1e-6 * deviations.max(), deviations, torch.inf).reciprocal()
        standard = (features - self.mean) * scale
        self.variances, axes = _principal_axes(standard)
        self.turned = (standard @ axes).float()
        self.axes = axes * scale[:, None]
        self.labels = labels
        self.shares = (torch.ones(classes) if weights is None else weights)[labels]
        self.shares = self.shares / self.shares.sum()
        self.solution = torch.zeros(classes, len(self.variances) + 1)

    def solve(self, strength: float) -> LinearHead:
        """The optimum for ``strength``, for features as they were before they were standardised."""
        scale = torch.cat([(0.1 * self.variances + strength).rsqrt(), torch.ones(1)])
        values = (self.solution / scale).requires_grad_()
        search = torch.optim.LBFGS(
            [values],
            max_iter=ITERATIONS,
            tolerance_grad=TOLERANCE,
            tolerance_change=0.0,
            history_size=20,
            line_search_fn="strong_wolfe",
        )

        def loss() -> Tensor:
            search.zero_grad()
            scaled = values * scale
            logits = functional.linear(self.turned, scaled[:, :-1], scaled[:, -1])
            losses = functional.cross_entropy(logits, self.labels, reduction="none")
            total = losses @ self.shares + strength / 2 * scaled[:, :-1].square().sum()
            total.backward()
            return total.detach()

        search.step(loss)
        self.solution = values.detach() * scale
        weight = self.solution[:, :-1].double() @ self.axes.T
        return LinearHead(weight.float(), (self.solution[:, -1] - weight @ self.mean).float())


def _principal_axes(standard: Tensor) -> tuple[Tensor, Tensor]:
    """The variance along each axis, and the axes as columns; none along which nothing varies."""
    variances, axes = torch.linalg.eigh(standard.T @ standard / len(standard))
    varies = variances > FLAT * variances[-1]
    return variances[varies].float(), axes[:, varies]


@dataclass(frozen=True)
class HeldOut:
    """What heads of one strength say of images that they did not learn from."""

    strength: float
    logits: Float32[Tensor, "count classes"]


def cross_validate(
    features: Float32[Tensor, "count values"],
    labels: Int64[Tensor, " count"],
    folds: Int64[Tensor, " count"],
    classes: int,
    weights: Float32[Tensor, " classes"] | None = None,
    strengths: Sequence[float] = STRENGTHS,
) -> Iterator[HeldOut]:
    """For each strength, the logits of every image by a head that was fitted to all other folds.

    Args:
        features: of all images.
        labels: indices of classes.
        folds: the fold of each image.
        classes: their number.
        weights: what an image of each class counts in learning.
        strengths: from strong to weak.
    """
    held = [folds == fold for fold in folds.unique()]
    problems = [Problem(features[~here], labels[~here], classes, weights) for here in held]
    for strength in strengths:
        logits = torch.empty(len(labels), classes)
        for here, problem in zip(held, problems, strict=True):
            logits[here] = problem.solve(strength)(features[here])
        yield HeldOut(strength, logits)
