"""An axis of a figure: round values that enclose what is drawn, and where each stands."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, floor

from verydeep.report.line_plots import BOTTOM, HEIGHT, TOP, Tick, round_step


@dataclass(frozen=True)
class Axis:
    """Round values that enclose what is drawn, the lowest first."""

    values: tuple[float, ...]
    start: float
    """Where the lowest stands in the figure, in its pixels."""
    end: float

    @classmethod
    def up(cls, values: Iterable[float], least_step: float = 1e-6) -> "Axis":
        """The vertical axis."""
        return cls.around(values, least_step, float(HEIGHT - BOTTOM), float(TOP))

    @classmethod
    def around(cls, values: Iterable[float], least_step: float, start: float, end: float) -> "Axis":
        """From ``start`` to ``end`` in the figure's pixels, with some four steps."""
        low, high = min(values := list(values)), max(values)
        step = max(round_step(max(high - low, 1e-9) / 4), least_step)
        first, last = floor(low / step + 1e-9), max(ceil(high / step - 1e-9), floor(low / step + 1e-9) + 1)
        return cls(tuple(round(number * step, 12) for number in range(first, last + 1)), start, end)

    def place(self, value: float) -> float:
        """Where ``value`` stands in the figure, in its pixels."""
        low, high = self.values[0], self.values[-1]
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    def ticks(self, label: Callable[[float], str]) -> tuple[Tick, ...]:
        """Each of its values, as ``label`` says it."""
        return tuple(Tick(self.place(value), label(value)) for value in self.values)


def power(exponent: float) -> str:
    """``-12`` as 10 to that power."""
    digits = str.maketrans(
        "-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
    )
    return "10" + f"{exponent:g}".translate(digits)
