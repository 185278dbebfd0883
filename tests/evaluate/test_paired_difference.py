"""The difference of two networks on the same images, with intervals that hold with few images and groups."""

import numpy as np
import pytest
import torch

from verydeep.evaluate.paired_difference import Z_ONE_SIDED, paired_difference


def logits(predicted, classes=2):
    return np.eye(classes)[predicted]


def test_the_difference_and_its_interval_are_those_of_bonett_and_price():
    # 100 images: 8 right by the first network only, 3 by the second only.
    first, second = logits([0] * 97 + [1] * 3), logits([1] * 8 + [0] * 92)
    result = paired_difference(first, second, np.zeros(100, dtype=np.int64))
    lost, won = 9 / 102, 4 / 102
    reach = 1.959964 * ((lost + won - (won - lost) ** 2) / 102) ** 0.5
    assert result.value == pytest.approx(-0.05)
    assert (result.low, result.high) == pytest.approx((won - lost - reach, won - lost + reach), rel=1e-5)


def test_equal_predictions_have_an_interval_too():
    same = logits([0] * 50)
    result = paired_difference(same, same, np.zeros(50, dtype=np.int64), z=Z_ONE_SIDED)
    assert result.value == 0
    assert -0.06 < result.low < -0.03 and 0.03 < result.high < 0.06


def test_balanced_accuracy_counts_each_class_the_same():
    labels = np.array([0] * 90 + [1] * 10)
    right, wrong = logits([0] * 90 + [1] * 10), logits([0] * 95 + [1] * 5)  # half of the second class
    assert paired_difference(right, wrong, labels).value == pytest.approx(-0.05)
    assert paired_difference(right, wrong, labels, balanced=True).value == pytest.approx(-0.25)


def test_images_of_one_group_count_less():
    labels = np.zeros(100, dtype=np.int64)
    first, second = logits([0] * 100), logits([1] * 10 + [0] * 90)
    alone = paired_difference(first, second, labels)
    grouped = paired_difference(first, second, labels, tuple(f"photo {index // 10}" for index in range(100)))
    assert grouped.value == alone.value
    assert grouped.low < alone.low - 0.05


def test_the_one_sided_bound_holds_as_often_as_it_says():
    generator = torch.Generator().manual_seed(0)
    labels, truth, holds = np.zeros(300, dtype=np.int64), -0.03, 0
    for _ in range(400):
        sampled = torch.rand(300, generator=generator)
        first = logits((sampled < 0.02).long().tolist())  # 2 % only right by the second network
        second = logits((sampled > 0.95).long().tolist())  # 5 % only by the first
        holds += paired_difference(first, second, labels, z=Z_ONE_SIDED).low <= truth
    assert holds / 400 >= 0.93
