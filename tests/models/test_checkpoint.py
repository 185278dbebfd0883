"""The temperature of a checkpoint is checked in one place."""

import math

import pytest
import torch

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.description import MAX_TEMPERATURE, MIN_TEMPERATURE
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import CheckpointError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint


def checkpoint(**origin):
    model = build(Architecture.from_string("2 | gap", input=(1, 8, 8), classes=2))
    return Checkpoint(model, Preprocess(size=8, channels=1, mean=(0.5,), std=(0.5,)), ("a", "b"), origin)


def test_without_calibration_it_is_1():
    assert checkpoint().temperature == 1.0 and not checkpoint().is_calibrated


@pytest.mark.parametrize("value", [MIN_TEMPERATURE, 1.5, 2, MAX_TEMPERATURE])
def test_a_fitted_temperature(value):
    fitted = checkpoint(temperature=value)
    assert fitted.temperature == value and type(fitted.temperature) is float and fitted.is_calibrated
    logits = torch.tensor([[1e4, -1e4]])
    assert bool((logits / fitted.temperature).softmax(1).isfinite().all())


def test_a_temperature_of_1_is_no_calibration():
    assert checkpoint(temperature=1).temperature == 1.0
    assert not checkpoint(temperature=1).is_calibrated


@pytest.mark.parametrize(
    "value", [0, -1.0, 1e-320, 0.049, 20.1, 1e308, math.inf, math.nan, "1.5", None, True, [1.0]]
)
def test_anything_else_is_rejected(value):
    with pytest.raises(CheckpointError, match=r"expected a number from 0\.05 to 20"):
        _ = checkpoint(temperature=value).temperature
