"""Evaluations with known counts, for tests of tables and pages."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from verydeep.evaluate.evaluation import Evaluation, evaluate_logits
from verydeep.evaluate.mistake import Mistake

CLASSES = ("cat", "dog", "owl")
CONFUSION = ((80, 20, 0), (0, 100, 0), (0, 0, 100))
"""A fifth of the cats are predicted as dogs: 93.33 % correct."""


def evaluation(
    confusion: Sequence[Sequence[int]] = CONFUSION,
    classes: tuple[str, ...] = CLASSES,
    *,
    confidence: float = 0.9,
    temperature: float | None = None,
    groups: int | None = None,
) -> Evaluation:
    """The evaluation of predictions with this confusion matrix, all of the same ``confidence``.

    Args:
        confusion: rows are true classes, columns predicted ones; counts of images.
        classes: their names.
        confidence: the probability of every predicted class; the others share the rest.
        temperature: of the temperature scaling.
        groups: how many groups the images are divided into.
    """
    counts = torch.tensor(confusion)
    labels = torch.arange(len(classes)).repeat_interleave(counts.sum(1))
    predicted = torch.arange(len(classes)).repeat(len(classes)).repeat_interleave(counts.flatten())
    probabilities = torch.full((len(labels), len(classes)), (1 - confidence) / max(len(classes) - 1, 1))
    probabilities[torch.arange(len(labels)), predicted] = confidence
    names = None if groups is None else tuple(str(index % groups) for index in range(len(labels)))
    return evaluate_logits(probabilities.log(), labels, classes, groups=names, temperature=temperature)


def many_classes(count: int) -> Evaluation:
    """10 images of each class; a fifth of the first class is predicted as the second."""
    confusion = (10 * torch.eye(count, dtype=torch.int64)).tolist()
    confusion[0][:2] = 8, 2
    return evaluation(confusion, tuple(f"class {number}" for number in range(count)))


def one_class() -> Evaluation:
    """100 images of the only class."""
    return replace(evaluation(), images=100, per_class={"cat": 1.0}, confusion=((100,),))


def mistake(label: str = "cat", index: int = 41) -> Mistake:
    return Mistake(index=index, label=label, predicted="dog", confidence=0.973)
