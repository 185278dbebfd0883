"""The names of the methods of random initialization (``initialization.py``)."""

from typing import Literal

Init = Literal["he", "glorot", "normal-0.1", "normal-0.01"]
