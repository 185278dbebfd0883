"""The names of the methods of random initialization (``initialization.py``)."""

from typing import Literal

Init = Literal["he", "glorot", "normal-0.1", "normal-0.01"]
"""He et al. 2015, Glorot and Bengio 2010, or a normal distribution with this standard deviation."""
