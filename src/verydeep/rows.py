"""Long columns that are computed when they are asked for: a few bytes an image instead of a Python object."""

from collections.abc import Callable, Sequence
from typing import TypeVar, overload

import numpy as np
from jaxtyping import Int64, UInt32

T = TypeVar("T")


class Rows(Sequence[T]):
    """One value for each image, made by ``value`` from the index of the image where all are stored."""

    def __init__(self, value: Callable[[int], T], indices: UInt32[np.ndarray, " count"]) -> None:
        self._value, self._indices = value, indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> "Rows[T]": ...

    def __getitem__(self, index: int | slice) -> "T | Rows[T]":
        if isinstance(index, slice):
            return Rows(self._value, self._indices[index])
        return self._value(int(self._indices[index]))

    def select(self, chosen: Int64[np.ndarray, " chosen"]) -> "Rows[T]":
        """The values at ``chosen``, in that order."""
        return Rows(self._value, self._indices[chosen])
