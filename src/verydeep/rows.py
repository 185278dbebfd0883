"""Long columns that are computed when they are asked for: a few bytes an image instead of a Python object."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import SupportsIndex, TypeVar, overload

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
    def __getitem__(self, index: SupportsIndex) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> "Rows[T]": ...

    def __getitem__(self, index: SupportsIndex | slice) -> "T | Rows[T]":
        if isinstance(index, slice):
            return Rows(self._value, self._indices[index])
        return self._value(int(self._indices[index]))

    def select(self, chosen: Int64[np.ndarray, " chosen"]) -> "Rows[T]":
        """The values at ``chosen``, in that order."""
        return Rows(self._value, self._indices[chosen])


def computed(value: Callable[[int], T], count: int) -> Rows[T]:
    """``value`` of 0 up to ``count``."""
    return Rows(value, np.arange(count, dtype=np.uint32))


def joined(columns: Sequence[Sequence[T]]) -> Rows[T]:
    """The values of all ``columns``, one column after the other."""
    starts = list(accumulate(map(len, columns), initial=0))

    def value(index: int) -> T:
        column = bisect_right(starts, index) - 1
        return columns[column][index - starts[column]]

    return computed(value, starts[-1])
