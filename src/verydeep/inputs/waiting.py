"""How long the network waits for its batches."""

import time
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")


class Waiting:
    """Adds up the time in which iterators keep their caller waiting."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, items: Iterator[T]) -> Iterator[T]:
        """``items``, while the clock runs."""
        while True:
            asked = time.perf_counter()
            following = next(items, None)
            self.seconds += time.perf_counter() - asked
            if following is None:
                return
            yield following
