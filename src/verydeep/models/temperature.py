"""The temperature of a calibrated network: logits are divided by it, so that confidence matches accuracy."""

import math
from collections.abc import Mapping
from typing import Any

from verydeep.errors import CheckpointError


def temperature_of(origin: Mapping[str, Any]) -> float:
    """The divisor of the logits (Guo et al. 2017, eq. 9); 1 where the network was not calibrated.

    Raises:
        CheckpointError: where it is not a positive number.
    """
    value = origin.get("temperature", 1.0)
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise CheckpointError(f"the checkpoint's temperature is {value!r}; expected a number above zero")
    return float(value)
