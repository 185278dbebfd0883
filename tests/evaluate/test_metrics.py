"""Metrics, held to hand counts."""

import math

import pytest
import torch

from verydeep.evaluate.metrics import accuracy, balanced_accuracy, evaluation, worst_mistakes

LOGITS = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 0.5], [0.0, 5.0, 1.0]])
LABELS = torch.tensor([0, 1, 2, 0])
CLASSES = ("a", "b", "c")


def test_accuracy_counts_the_best_k():
    assert accuracy(LOGITS, LABELS) == 0.5
    assert accuracy(LOGITS, LABELS, k=2) == 0.75
    assert accuracy(LOGITS, LABELS, k=5) == 1.0  # no more than there are classes


def test_evaluation_by_hand():
    result = evaluation(LOGITS, LABELS, CLASSES)
    assert result.confusion == ((1, 1, 0), (0, 1, 0), (1, 0, 0))
    assert result.per_class == {"a": 0.5, "b": 1.0, "c": 0.0}
    assert (result.images, result.top1, result.top5) == (4, 0.5, 1.0)
    by_hand = -sum(
        float(row[label]) - math.log(sum(math.exp(value) for value in row))
        for row, label in zip(LOGITS.tolist(), LABELS.tolist(), strict=True)
    )
    assert result.loss == pytest.approx(by_hand / 4, rel=1e-5)


def test_a_class_without_images_has_recall_zero():
    assert evaluation(LOGITS, torch.tensor([0, 1, 1, 0]), CLASSES).per_class["c"] == 0.0


def test_calibration_error_of_a_sure_and_wrong_network_is_one():
    sure = 50.0 * torch.eye(3)
    result = evaluation(sure, torch.tensor([1, 2, 0]), CLASSES)
    assert result.calibration_error == pytest.approx(1.0, abs=1e-4)


def test_the_surest_mistake_comes_first():
    first, second = worst_mistakes(LOGITS, LABELS, CLASSES)
    assert (first.index, first.label, first.predicted) == (3, "a", "b")
    assert (second.index, second.label, second.predicted) == (2, "c", "a")
    assert first.confidence == pytest.approx(math.exp(5) / (math.exp(5) + math.exp(1) + 1))
    assert len(worst_mistakes(LOGITS, LABELS, CLASSES, limit=1)) == 1


def test_balanced_accuracy_counts_every_class_alike():
    logits = torch.eye(3)[[0, 0, 0, 0, 0, 1]]  # all ones right but one of the rare class
    labels = torch.tensor([0, 0, 0, 0, 1, 1])
    assert balanced_accuracy(logits, labels) == pytest.approx((1 + 1 / 2) / 2)  # class 2 has no image
