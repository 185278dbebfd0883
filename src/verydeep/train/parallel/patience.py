"""How long ranks wait for each other, before training and in it."""

import os
from datetime import timedelta

from verydeep.errors import RecipeError

TIMEOUT_VARIABLE = "VERYDEEP_RANK_TIMEOUT"
IN_TRAINING = timedelta(seconds=50)
"""So that a lost host is noticed within a minute."""
BEFORE_TRAINING = timedelta(hours=1)
"""While ranks start, download and read, which may take one host much longer than another."""


def timeout_in_training() -> timedelta:
    """How long a rank waits for another one in training.

    Raises:
        RecipeError: where the environment asks for what is no time.
    """
    text = os.environ.get(TIMEOUT_VARIABLE) or str(IN_TRAINING.total_seconds())
    try:
        timeout = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        timeout = timedelta(0)
    if timeout <= timedelta(0):
        raise RecipeError(
            f"{TIMEOUT_VARIABLE} is {text!r}; expected seconds, such as {IN_TRAINING.total_seconds():.0f}"
        )
    return timeout


def timeout_before_training() -> timedelta:
    """How long a rank waits for another one that is not ready to train: never less than in training.

    Raises:
        RecipeError: where the environment asks for what is no time.
    """
    return max(BEFORE_TRAINING, timeout_in_training())
