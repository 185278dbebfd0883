"""How wide a value is, and how many values an optimizer remembers: what the flags of a forecast name."""

from typing import Literal

Optimizer = Literal["sgd", "adam"]
Dtype = Literal["fp32", "bf16"]

FP32, INT64 = 4, 8
"""Bytes of a value."""
WIDTH: dict[Dtype, int] = {"fp32": FP32, "bf16": 2}
"""Bytes of an activation."""
STATES: dict[Optimizer, int] = {"sgd": 1, "adam": 2}
"""Values an optimizer remembers for each parameter: the momentum; both moments."""
