"""Metrics against hand counts and scikit-learn."""

import math

import numpy as np
import pytest
import torch

from verydeep.evaluate.evaluation import evaluate_logits
from verydeep.evaluate.metrics import accuracy, balanced_accuracy, brier_score, most_confident_mistakes

LOGITS = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 0.5], [0.0, 5.0, 1.0]])
LABELS = np.array([0, 1, 2, 0])
CLASSES = ("a", "b", "c")


def test_top_k_accuracy():
    assert accuracy(LOGITS, LABELS) == 0.5
    assert accuracy(LOGITS, LABELS, k=2) == 0.75
    assert accuracy(LOGITS, LABELS, k=5) == 1.0  # k is at most the number of classes


def test_top_k_accuracy_is_that_of_torch():
    torch.manual_seed(0)
    logits, labels = torch.randn(500, 8), torch.randint(8, (500,))
    for k in (1, 3, 5):
        expected = (logits.topk(k).indices == labels[:, None]).any(1).double().mean()
        assert accuracy(logits.numpy(), labels.numpy(), k) == pytest.approx(float(expected))


def test_of_equal_logits_the_first_are_the_top():
    equal = np.zeros((3, 3))
    assert accuracy(equal, np.array([0, 1, 2])) == pytest.approx(1 / 3)
    assert accuracy(equal, np.array([0, 1, 2]), k=2) == pytest.approx(2 / 3)


def test_logits_that_are_no_numbers_are_mistakes():  # of a training that diverged
    assert accuracy(np.full((2, 3), np.nan), np.array([1, 2])) == 0
    own, other = np.array([[np.nan, 0.0]]), np.array([[1.0, np.nan]])
    for logits in (own, other):
        assert accuracy(logits, np.array([0])) == balanced_accuracy(logits, np.array([0])) == 0


def test_evaluation_by_hand():
    result = evaluate_logits(LOGITS, LABELS, CLASSES)
    assert result.confusion == ((1, 1, 0), (0, 1, 0), (1, 0, 0))
    assert result.per_class == {"a": 0.5, "b": 1.0, "c": 0.0}
    assert (result.images, result.top1, result.top5) == (4, 0.5, 1.0)
    by_hand = -sum(
        float(row[label]) - math.log(sum(math.exp(value) for value in row))
        for row, label in zip(LOGITS.tolist(), LABELS.tolist(), strict=True)
    )
    assert result.loss == pytest.approx(by_hand / 4, rel=1e-5)


def test_a_class_without_images_has_recall_zero():
    assert evaluate_logits(LOGITS, np.array([0, 1, 1, 0]), CLASSES).per_class["c"] == 0.0


def test_precision_recall_and_f1_by_hand():
    scores = evaluate_logits(LOGITS, LABELS, CLASSES).scores
    assert [(score.images, score.predicted, score.correct) for score in scores.values()] == [
        (2, 2, 1), (1, 2, 1), (1, 0, 0),
    ]  # fmt: skip
    assert [score.precision for score in scores.values()] == [0.5, 0.5, None]
    assert [score.f1 for score in scores.values()] == [0.5, pytest.approx(2 / 3), 0.0]


def test_the_means_over_classes_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics", reason="needs the extra parity")
    torch.manual_seed(0)
    logits, labels = torch.randn(200, 5), torch.randint(5, (200,))
    result, predicted = evaluate_logits(logits, labels, tuple("abcde")), logits.argmax(1)
    assert result.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(labels, predicted))
    assert result.macro_f1 == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    precision = metrics.precision_score(labels, predicted, average=None)
    assert [score.precision for score in result.scores.values()] == pytest.approx(precision.tolist())


def test_predicting_the_largest_class_has_the_balanced_accuracy_of_chance():
    labels = torch.tensor([0] * 90 + [1] * 10)
    logits = torch.tensor([[1.0, 0.0]]).expand(100, 2)
    result = evaluate_logits(logits, labels, ("many", "few"))
    assert (result.top1, result.balanced_accuracy) == (0.9, 0.5)
    assert result.macro_f1 == pytest.approx((2 * 90 / 190 + 0) / 2)


def test_a_class_without_images_is_left_out_of_the_means():
    result = evaluate_logits(LOGITS[:2], LABELS[:2], CLASSES)
    assert result.without_images == ("c",)
    assert (result.balanced_accuracy, result.macro_f1) == (1.0, 1.0)


def test_the_brier_score_is_from_0_to_2():  # Brier 1950, eq. 2
    confident = 50.0 * np.eye(3)
    assert brier_score(confident, np.array([0, 1, 2])) == pytest.approx(0)
    assert brier_score(confident, np.array([1, 2, 0])) == pytest.approx(2)
    assert brier_score(np.zeros((1, 2)), np.array([0])) == pytest.approx(0.5)


def test_the_calibration_error_of_confident_wrong_predictions_is_1():
    confident = 50.0 * np.eye(3)
    result = evaluate_logits(confident, np.array([1, 2, 0]), CLASSES)
    assert result.calibration.error == pytest.approx(1.0, abs=1e-4)


def test_the_most_confident_mistake_comes_first():
    first, second = most_confident_mistakes(LOGITS, LABELS, CLASSES)
    assert (first.index, first.label, first.predicted) == (3, "a", "b")
    assert (second.index, second.label, second.predicted) == (2, "c", "a")
    assert first.confidence == pytest.approx(math.exp(5) / (math.exp(5) + math.exp(1) + 1))
    assert len(most_confident_mistakes(LOGITS, LABELS, CLASSES, limit=1)) == 1


def test_balanced_accuracy_weights_all_classes_equally():
    logits = np.eye(3)[[0, 0, 0, 0, 0, 1]]  # one mistake, in the rare class
    labels = np.array([0, 0, 0, 0, 1, 1])
    assert balanced_accuracy(logits, labels) == pytest.approx((1 + 1 / 2) / 2)  # class 2 has no image
