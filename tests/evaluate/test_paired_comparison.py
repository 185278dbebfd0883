"""The difference of two networks on the same images, with an interval that holds with few mistakes."""

import numpy as np
import pytest
import torch

from verydeep.evaluate.paired_comparison import compare_paired


def logits(predicted, classes=2):
    return np.eye(classes)[predicted]


def with_mistakes(labels, indices):
    return [1 - label if i in indices else label for i, label in enumerate(labels)]


LABELS = [0, 1] * 50


def test_the_difference_is_that_of_the_balanced_accuracies_and_counts_who_is_right_alone():
    first = with_mistakes(LABELS, {0, 2, 4, 6, 1, 3})
    second = with_mistakes(LABELS, {0, 1, 9})
    compared = compare_paired(logits(first), logits(second), np.array(LABELS))
    assert (compared.first.value, compared.second.value) == pytest.approx((0.94, 0.97))
    assert compared.difference.value == pytest.approx(0.03)
    assert (compared.only_first, compared.only_second) == (1, 4)
    assert compared.difference.low < 0.03 < compared.difference.high
    assert not compared.is_significant and compared.images == 100 and compared.groups is None


def test_a_large_difference_is_significant_and_changes_sign_with_the_order():
    bad, good = with_mistakes(LABELS, set(range(30))), with_mistakes(LABELS, {3})
    gain = compare_paired(logits(bad), logits(good), np.array(LABELS))
    loss = compare_paired(logits(good), logits(bad), np.array(LABELS))
    assert gain.is_significant and loss.is_significant
    assert gain.difference.low == pytest.approx(-loss.difference.high)
    assert gain.difference.high == pytest.approx(-loss.difference.low)


def test_shared_mistakes_make_the_interval_narrower_than_other_ones():
    first = logits(with_mistakes(LABELS, set(range(0, 20))))
    same = compare_paired(first, logits(with_mistakes(LABELS, set(range(0, 20)))), np.array(LABELS))
    apart = compare_paired(first, logits(with_mistakes(LABELS, set(range(20, 40)))), np.array(LABELS))
    assert same.difference.value == apart.difference.value == 0
    assert apart.difference.high > 2 * same.difference.high > 0


def test_without_a_mistake_the_interval_has_a_width():
    right = logits(LABELS)
    compared = compare_paired(right, right, np.array(LABELS))
    assert compared.difference.low < 0 < compared.difference.high
    assert compared.difference.high < 0.1


@pytest.mark.slow
def test_the_interval_covers_the_true_difference_as_often_as_it_says():
    """Two networks that are right on 90 and 80 % of all images, both on 78 %: 200 draws of 100 images."""
    generator = torch.Generator().manual_seed(0)
    labels = np.array(LABELS)
    kinds = torch.tensor([[1, 1], [1, 0], [0, 1], [0, 0]])
    covered = 0
    for _ in range(200):
        drawn = torch.multinomial(torch.tensor([0.78, 0.02, 0.12, 0.08]), 100, True, generator=generator)
        right = kinds[drawn].bool()
        first, second = (np.where(right[:, i], labels, 1 - labels).tolist() for i in (0, 1))
        gain = compare_paired(logits(first), logits(second), labels).difference
        covered += gain.low <= 0.1 <= gain.high
    assert 186 <= covered <= 198


def test_groups_widen_the_interval():
    first, second = logits(with_mistakes(LABELS, {0, 1})), logits(with_mistakes(LABELS, set(range(0, 12))))
    alone = compare_paired(first, second, np.array(LABELS))
    grouped = compare_paired(first, second, np.array(LABELS), tuple(str(index // 10) for index in range(100)))
    assert grouped.groups == 10
    assert grouped.difference.high - grouped.difference.low > alone.difference.high - alone.difference.low


def test_a_class_that_is_never_predicted_may_have_infinite_logits():
    first = np.array([[1.0, 0.0, -np.inf], [0.0, 1.0, -np.inf], [1.0, 0.0, -np.inf]])
    second = np.eye(3)
    compared = compare_paired(first, second, np.array([0, 1, 1]))
    assert compared.first.value == pytest.approx(0.75)
    assert np.isfinite([compared.difference.low, compared.difference.high]).all()
