"""Coverage against accuracy, by hand."""

import pytest
import torch

from verydeep.evaluate.coverage import THRESHOLDS, measure_coverage


def test_the_share_of_answers_and_their_accuracy():
    confidence = torch.tensor([0.95, 0.85, 0.75, 0.55])
    logits = torch.stack([confidence, 1 - confidence], 1).log()
    labels = torch.tensor([0, 1, 0, 1])  # the second and the fourth are mistakes
    points = measure_coverage(logits, labels, (0.5, 0.6, 0.8, 0.9, 0.99))
    assert [each.coverage for each in points] == [1, 0.75, 0.5, 0.25, 0]
    assert [each.accuracy for each in points] == [0.5, pytest.approx(2 / 3), 0.5, 1, None]


def test_coverage_falls_as_the_threshold_rises():
    generator = torch.Generator().manual_seed(0)
    points = measure_coverage(3 * torch.randn(200, 4, generator=generator), torch.arange(200) % 4)
    shares = [each.coverage for each in points]
    assert shares == sorted(shares, reverse=True) and len(shares) == len(THRESHOLDS)
