"""Calibration and temperature scaling against scikit-learn, torch's optimizer and known values."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from verydeep.architecture.description import MAX_TEMPERATURE
from verydeep.errors import DataError
from verydeep.evaluate.calibration import fit_temperature, measure_calibration


def sample(count=4000, classes=5, seed=0, temperature=1.0):
    """Logits, and labels sampled from their softmax at ``temperature``."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(count, classes, generator=generator)
    labels = torch.multinomial((logits / temperature).softmax(1), 1, generator=generator).squeeze(1)
    return logits.numpy(), labels.numpy()


@pytest.mark.parametrize("bins", [5, 15])
def test_the_calibration_error_is_that_of_the_curve_of_scikit_learn(bins):
    calibration = pytest.importorskip("sklearn.calibration", reason="needs the extra parity")
    logits, labels = sample(temperature=2.0)
    confidence, predicted = torch.from_numpy(logits).softmax(1).max(1)
    right = predicted.numpy() == labels
    accuracies, confidences = calibration.calibration_curve(right, confidence, n_bins=bins)
    images, _ = np.histogram(confidence, bins, (0, 1))
    expected = np.average(abs(accuracies - confidences), weights=images[images > 0])
    assert measure_calibration(logits, labels, bins).error == pytest.approx(expected, abs=1e-6)


def test_bins_of_known_predictions():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.95, 0.05], [0.4, 0.6]])
    (low, high) = measure_calibration(np.log(probabilities), np.array([0, 1, 0, 1]), bins=4).bins
    assert (low.low, low.high, low.images, low.accuracy) == (0.5, 0.75, 1, 1.0)
    assert (high.images, high.accuracy) == (3, pytest.approx(2 / 3))
    assert high.confidence == pytest.approx((0.9 + 0.8 + 0.95) / 3)


def test_the_temperature_of_the_labels_is_recovered():
    for temperature in (0.5, 1.0, 2.0):
        logits, labels = sample(count=20_000, temperature=temperature)
        assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


def test_the_temperature_is_that_of_lbfgs():
    logits, labels = map(torch.from_numpy, sample(temperature=3.0))
    temperature = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([temperature], lr=0.5, max_iter=100, tolerance_grad=1e-9)

    def loss():
        optimizer.zero_grad()
        value = functional.cross_entropy(logits.double() / temperature, labels, label_smoothing=1 / 4001)
        value.backward()
        return value

    optimizer.step(loss)
    assert fit_temperature(logits, labels) == pytest.approx(temperature.item(), rel=1e-4)


def test_temperature_scaling_corrects_an_overconfident_network():
    logits, labels = sample(temperature=2.5, seed=1)
    temperature = fit_temperature(logits, labels)
    test_logits, test_labels = sample(temperature=2.5, seed=2)
    before, after = (
        measure_calibration(test_logits, test_labels).error,
        measure_calibration(test_logits / temperature, test_labels).error,
    )
    assert before > 0.1 and after < 0.02


def test_a_network_without_mistakes_does_not_get_full_confidence():
    """With three correct predictions, labels are smoothed by 1/4, so confidence is 3/4 + 1/3 of 1/4."""
    temperature = fit_temperature(torch.eye(3), torch.tensor([0, 1, 2]))
    (confidence, *_) = (torch.eye(3) / temperature).softmax(1)[0].tolist()
    assert confidence == pytest.approx(3 / 4 + 1 / 12)


def test_if_all_predictions_are_wrong_the_temperature_is_the_maximum():
    assert fit_temperature(torch.eye(3), torch.tensor([1, 2, 0])) == pytest.approx(MAX_TEMPERATURE)


def test_no_images_are_rejected():
    with pytest.raises(DataError, match="hold some out of training"):
        fit_temperature(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
