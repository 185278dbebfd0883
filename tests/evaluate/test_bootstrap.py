"""Confidence intervals against the normal approximation and the evaluation, with and without groups."""

from math import sqrt

import numpy as np
import pytest
import torch

from verydeep.evaluate.bootstrap import MEASURES, confidence_intervals
from verydeep.evaluate.evaluation import evaluate_logits


def sample(count=1000, classes=4, accuracy=0.8, seed=0):
    """Logits whose prediction is the label with probability ``accuracy``, else the next class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=generator)
    is_correct = torch.rand(count, generator=generator) < accuracy
    predicted = torch.where(is_correct, labels, (labels + 1) % classes)
    return 5 * np.eye(classes, dtype=np.float32)[predicted], labels.numpy()


def test_values_are_those_of_the_evaluation():
    random = np.random.default_rng(0)
    labels = random.integers(6, size=300)  # the last class has no images
    logits = random.normal(size=(300, 7))
    evaluation, intervals = (
        evaluate_logits(logits, labels, tuple("abcdefg")),
        confidence_intervals(logits, labels, resamples=50),
    )
    assert tuple(intervals) == MEASURES
    for name, interval in intervals.items():
        assert interval.value == pytest.approx(getattr(evaluation, name))
        assert interval.low < interval.value < interval.high


def singles(count):
    return tuple(str(i) for i in range(count))


@pytest.mark.parametrize("groups", [None, singles(1000)], ids=["images", "groups of one image"])
def test_accuracy_has_the_interval_of_the_binomial(groups):
    logits, labels = sample()
    interval = confidence_intervals(logits, labels, groups)["top1"]
    half = 1.96 * sqrt(interval.value * (1 - interval.value) / len(labels))
    assert interval.low == pytest.approx(interval.value - half, abs=0.005)
    assert interval.high == pytest.approx(interval.value + half, abs=0.005)


def test_copies_in_a_group_count_once():
    """Ten copies of each image: with groups, the interval of the originals; without, a much narrower one."""
    logits, labels = sample(count=200)
    copies, copied_labels = np.tile(logits, (10, 1)), np.tile(labels, 10)
    originals = confidence_intervals(logits, labels, singles(200))
    grouped = confidence_intervals(copies, copied_labels, singles(200) * 10)
    for name in MEASURES:
        assert grouped[name].value == pytest.approx(originals[name].value)
        # The same seed resamples the same units; the effective number of images is not quite the same.
        tolerance = 1e-4 if name == "loss" else 5e-3
        assert grouped[name].low == pytest.approx(originals[name].low, rel=tolerance)
        assert grouped[name].high == pytest.approx(originals[name].high, rel=tolerance)
    ungrouped = confidence_intervals(copies, copied_labels)["top1"]
    width = originals["top1"].high - originals["top1"].low
    assert ungrouped.high - ungrouped.low < width / 2.5  # about sqrt(10)


def test_accuracy_without_mistakes_has_an_interval_below_1():
    logits, labels = sample(count=30, accuracy=1.0)
    interval = confidence_intervals(logits, labels)["top1"]
    assert interval.value == interval.high == 1 and interval.low == pytest.approx(0.887, abs=1e-3)


def test_the_same_seed_has_the_same_intervals():
    logits, labels = sample(count=100)
    assert confidence_intervals(logits, labels, resamples=40) == confidence_intervals(
        logits, labels, resamples=40
    )
    assert confidence_intervals(logits, labels, resamples=40) != confidence_intervals(
        logits, labels, resamples=40, seed=1
    )


def test_chunks_of_resamples_are_concatenated(monkeypatch):
    monkeypatch.setattr("verydeep.evaluate.bootstrap._VALUES", 700)
    logits, labels = sample(count=100)
    interval = confidence_intervals(logits, labels, resamples=500)["top1"]
    assert interval.low < interval.value < interval.high


def test_a_class_with_one_image_has_no_nan():
    logits, labels = sample(count=50, classes=3)
    labels = np.where(labels == 2, 0, labels)
    labels[0] = 2
    assert all(
        0 <= each.low <= each.high for each in confidence_intervals(logits, labels, resamples=200).values()
    )
