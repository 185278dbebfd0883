"""Coverage against accuracy, by hand."""

import numpy as np
import pytest

from verydeep.evaluate.coverage import THRESHOLDS, measure_coverage


def test_the_share_of_answers_and_their_accuracy():
    confidence = np.array([0.95, 0.85, 0.75, 0.55])
    logits = np.log(np.stack([confidence, 1 - confidence], 1))
    labels = np.array([0, 1, 0, 1])  # the second and the fourth are mistakes
    points = measure_coverage(logits, labels, (0.5, 0.6, 0.8, 0.9, 0.99))
    assert [each.coverage for each in points] == [1, 0.75, 0.5, 0.25, 0]
    assert [each.accuracy for each in points] == [0.5, pytest.approx(2 / 3), 0.5, 1, None]


def test_coverage_falls_as_the_threshold_rises():
    logits = 3 * np.random.default_rng(0).normal(size=(200, 4))
    points = measure_coverage(logits, np.arange(200) % 4)
    shares = [each.coverage for each in points]
    assert shares == sorted(shares, reverse=True) and len(shares) == len(THRESHOLDS)
