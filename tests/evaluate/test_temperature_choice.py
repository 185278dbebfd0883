"""Temperature scaling is applied where it helps on held-out images, and only there."""

from dataclasses import replace

import numpy as np
import pytest

from verydeep.evaluate.temperature_choice import choose_temperature

from .test_calibration import sample


@pytest.mark.parametrize(("temperature", "is_applied"), [(2.5, True), (0.4, True), (1.0, False)])
def test_it_is_applied_where_confidence_is_wrong(temperature, is_applied):
    choice = choose_temperature(*sample(count=600, temperature=temperature))
    assert choice.is_applied is is_applied
    assert choice.temperature == pytest.approx(temperature if is_applied else 1.0, rel=0.25)
    assert ("is applied" if is_applied else "is not applied, because T =") in choice.reason
    assert choice.values["applied"] is is_applied and choice.values["reason"] == choice.reason


def test_both_loss_and_calibration_error_must_become_smaller():
    choice = choose_temperature(*sample(count=600, temperature=2.5))
    assert not replace(choice, error_after=choice.error_before).is_applied
    assert not replace(choice, loss_after=choice.loss_before).is_applied


def test_a_temperature_at_its_limit_is_never_applied():
    """Predictions that are wrong more often than by chance: the flatter, the better."""
    labels = np.arange(60) % 3
    logits = 3 * np.eye(3)[(labels + 1) % 3]
    choice = choose_temperature(logits, labels)
    assert choice.loss_after < choice.loss_before
    assert choice.temperature == 1 and "at its limit (20.00)" in choice.reason


def test_images_of_a_group_are_in_one_fold():
    """Copies of an image on both sides would show what is fitted to chance as a gain."""
    logits, labels = sample(count=24, temperature=1.0, seed=3)
    groups = tuple(str(number) for number in range(24)) * 20
    copies = np.tile(logits, (20, 1)), np.tile(labels, 20)
    grouped = choose_temperature(*copies, groups)
    alone = choose_temperature(*copies)
    assert grouped.loss_after > alone.loss_after


def test_too_few_images_have_no_temperature():
    assert choose_temperature(np.zeros((1, 3)), np.array([0])) is None
    assert choose_temperature(np.zeros((4, 3)), np.arange(4) % 3, ("a",) * 4) is None
