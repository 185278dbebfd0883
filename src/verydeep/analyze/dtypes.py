"""Bytes per value and optimizer states per parameter: the options of a memory estimate."""

from typing import Literal

Optimizer = Literal["sgd", "adam"]
Dtype = Literal["fp32", "bf16"]

FP32, INT64 = 4, 8
"""Bytes per value."""
ACTIVATION_BYTES: dict[Dtype, int] = {"fp32": FP32, "bf16": 2}
"""Bytes per activation."""
STATES: dict[Optimizer, int] = {"sgd": 1, "adam": 2}
"""Optimizer states per parameter: the momentum of sgd, the two moments of adam."""
