"""What a network's logits are divided by, so that it is as sure as it is right."""

import math
from collections.abc import Mapping
from typing import Any

from verydeep.errors import CheckpointError


def temperature_of(origin: Mapping[str, Any]) -> float:
    """What the logits are divided by: 1 where the network was not calibrated (Guo et al. 2017, eq. 9).

    Raises:
        CheckpointError: where it is no positive number.
    """
    value = origin.get("temperature", 1.0)
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise CheckpointError(f"the checkpoint's temperature is {value!r}; expected a number above zero")
    return float(value)
