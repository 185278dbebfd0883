"""Intervals of scores: coverage in simulations, no and one mistake, small classes, groups."""

import numpy as np
import pytest
import torch

from verydeep.evaluate.confidence_intervals import wilson_interval
from verydeep.evaluate.score_intervals import (
    ScoredImages,
    accuracy_interval,
    balanced_accuracy_interval,
    macro_f1_interval,
)


def scored(sizes, correct, groups=None):
    """Images of classes with these ``sizes``; a mistake is predicted as the next class."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    predicted = np.where(correct, labels, (labels + 1) % len(sizes))
    groups = np.arange(len(labels)) if groups is None else groups
    return ScoredImages(labels, predicted, groups, len(sizes))


def mistaken(sizes, mistakes):
    """The first ``mistakes`` images of the first class are wrong."""
    return scored(sizes, np.arange(sum(sizes)) >= mistakes)


def coverage(sizes, recalls, groups=None, trials=200):
    """The share of data sets whose interval of balanced accuracy holds the mean of ``recalls``.

    With ``groups`` images are put into so many at random, whose images are all easy or all hard.
    """
    generator = torch.Generator().manual_seed(0)
    recall = torch.tensor(recalls).repeat_interleave(torch.tensor(sizes))
    covered = 0
    for _ in range(trials):
        count = sum(sizes) if groups is None else groups
        group = None if groups is None else torch.randint(groups, (sum(sizes),), generator=generator)
        difficulty = torch.rand(count, generator=generator)
        difficulty = difficulty if group is None else difficulty[group]
        own = None if group is None else group.numpy()
        interval = balanced_accuracy_interval(scored(sizes, (difficulty < recall).numpy(), own))
        covered += interval.low <= sum(recalls) / len(recalls) <= interval.high
    return covered / trials


@pytest.mark.parametrize(
    ("sizes", "recalls", "groups"),
    [
        ((21, 10, 6), (0.97, 0.97, 0.97), None),
        ((62, 118), (0.8, 0.94), None),
        ((10,) * 20, (0.9,) * 20, None),
        ((500, 50, 20), (0.98, 0.9, 0.8), None),
        ((120, 60, 20), (0.95, 0.95, 0.95), 40),
    ],
)
def test_95_of_100_intervals_hold_the_true_value(sizes, recalls, groups):
    """Percentiles of the bootstrap: 70, 94, 92, 93 and 76 of 100."""
    assert coverage(sizes, recalls, groups) >= 0.91


def test_accuracy_has_the_interval_of_wilson():
    interval = accuracy_interval(mistaken((37,), 0), (np.arange(37) > 0).astype(np.float64))
    assert (interval.low, interval.high) == pytest.approx(wilson_interval(36, 37), abs=1e-3)


@pytest.mark.parametrize("sizes", [(21, 10, 6), (2, 2, 2), (400, 3), (1,) * 30])
@pytest.mark.parametrize("of", [balanced_accuracy_interval, macro_f1_interval])
def test_few_mistakes_have_intervals_that_make_sense(sizes, of):
    """Without a mistake the interval has a width, and with each mistake it goes down."""
    none, one, two = (of(mistaken(sizes, mistakes)) for mistakes in range(3))
    assert none.value == none.high == 1 and none.low < 0.995
    for better, worse in ((none, one), (one, two)):
        assert worse.low < better.low and worse.low < worse.value <= worse.high <= better.high


def test_every_prediction_wrong():
    images = scored((10, 10), np.zeros(20, dtype=np.bool_))
    for interval in (balanced_accuracy_interval(images), macro_f1_interval(images)):
        assert interval.low == interval.value == 0 and 0.1 < interval.high < 0.3


def test_groups_without_a_mistake_count_as_groups():
    """200 images in 20 groups are as certain as 20 images, as long as nothing is known of their mistakes."""
    images = scored((100, 100), np.ones(200, dtype=np.bool_), np.arange(200) // 10)
    assert balanced_accuracy_interval(images).low == pytest.approx(wilson_interval(20, 20)[0], abs=1e-3)
    alone = accuracy_interval(mistaken((100, 100), 0), np.ones(200))
    assert alone.low == pytest.approx(wilson_interval(200, 200)[0])
