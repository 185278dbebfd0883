"""Intervals, held to the normal approximation, to what is measured, and to what groups do."""

from math import sqrt

import pytest
import torch

from verydeep.evaluate.bootstrap import MEASURES, bootstrap_intervals
from verydeep.evaluate.evaluation import evaluate_logits


def drawn(count=1000, classes=4, right=0.8, seed=0):
    """Logits that name the label with probability ``right`` and else the next class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=generator)
    is_right = torch.rand(count, generator=generator) < right
    named = torch.where(is_right, labels, (labels + 1) % classes)
    return 5 * torch.nn.functional.one_hot(named, classes).float(), labels


def test_values_are_those_of_the_evaluation():
    torch.manual_seed(0)
    logits, labels = torch.randn(300, 7), torch.randint(6, (300,))  # the last class has no images
    whole, intervals = (
        evaluate_logits(logits, labels, tuple("abcdefg")),
        bootstrap_intervals(logits, labels, resamples=50),
    )
    assert tuple(intervals) == MEASURES
    for name, interval in intervals.items():
        assert interval.value == pytest.approx(getattr(whole, name))
        assert interval.low < interval.value < interval.high


def singles(count):
    return tuple(str(i) for i in range(count))


@pytest.mark.parametrize("groups", [None, singles(1000)], ids=["Wilson", "draws"])
def test_accuracy_has_the_interval_of_the_binomial(groups):
    logits, labels = drawn()
    interval = bootstrap_intervals(logits, labels, groups)["top1"]
    half = 1.96 * sqrt(interval.value * (1 - interval.value) / len(labels))
    assert interval.low == pytest.approx(interval.value - half, abs=0.005)
    assert interval.high == pytest.approx(interval.value + half, abs=0.005)


def test_twins_in_a_group_count_once():
    """Each image ten times over: with groups, the interval of the images; without, one far too narrow."""
    logits, labels = drawn(count=200)
    ten, ten_labels = logits.repeat(10, 1), labels.repeat(10)
    alone = bootstrap_intervals(logits, labels, singles(200))
    grouped = bootstrap_intervals(ten, ten_labels, singles(200) * 10)
    for name in MEASURES:
        assert grouped[name].value == pytest.approx(alone[name].value)
        assert grouped[name].low == pytest.approx(
            alone[name].low, rel=1e-4
        )  # the same seed draws the same units
        assert grouped[name].high == pytest.approx(alone[name].high, rel=1e-4)
    naive = bootstrap_intervals(ten, ten_labels)["top1"]
    assert naive.high - naive.low < (alone["top1"].high - alone["top1"].low) / 2.5  # about sqrt(10)


def test_a_network_that_is_always_right_is_not_sure_to_stay_so():
    logits, labels = drawn(count=30, right=1.0)
    interval = bootstrap_intervals(logits, labels)["top1"]
    assert interval.value == interval.high == 1 and interval.low == pytest.approx(0.887, abs=1e-3)


def test_the_same_seed_gives_the_same_intervals():
    logits, labels = drawn(count=100)
    assert bootstrap_intervals(logits, labels, resamples=40) == bootstrap_intervals(
        logits, labels, resamples=40
    )
    assert bootstrap_intervals(logits, labels, resamples=40) != bootstrap_intervals(
        logits, labels, resamples=40, seed=1
    )


def test_parts_that_fit_the_memory_are_put_together(monkeypatch):
    monkeypatch.setattr("verydeep.evaluate.bootstrap._VALUES", 700)
    logits, labels = drawn(count=100)
    interval = bootstrap_intervals(logits, labels, resamples=500)["top1"]
    assert interval.low < interval.value < interval.high


def test_a_class_of_one_image_makes_no_nan():
    logits, labels = drawn(count=50, classes=3)
    labels = torch.where(labels == 2, 0, labels)
    labels[0] = 2
    assert all(
        0 <= each.low <= each.high for each in bootstrap_intervals(logits, labels, resamples=200).values()
    )
