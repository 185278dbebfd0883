"""An axis of a figure: round values that enclose the data, and their positions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, floor, log10

from verydeep.report.charts.line_plots import BOTTOM, HEIGHT, TOP, Tick, round_step


@dataclass(frozen=True)
class Axis:
    """Round values that enclose the data, the lowest first."""

    values: tuple[float, ...]
    start: float
    """The position of the lowest value in the figure, in px."""
    end: float

    @classmethod
    def vertical(cls, values: Iterable[float], min_step: float = 1e-6) -> "Axis":
        """The y axis."""
        return cls.around(values, min_step, float(HEIGHT - BOTTOM), float(TOP))

    @classmethod
    def around(cls, values: Iterable[float], min_step: float, start: float, end: float) -> "Axis":
        """An axis around ``values`` from ``start`` to ``end`` px, with about four steps."""
        low, high = min(values := list(values)), max(values)
        step = max(round_step(max(high - low, 1e-9) / 4), min_step)
        first, last = floor(low / step + 1e-9), max(ceil(high / step - 1e-9), floor(low / step + 1e-9) + 1)
        return cls(tuple(round(number * step, 12) for number in range(first, last + 1)), start, end)

    def position(self, value: float) -> float:
        """The position of ``value`` in the figure, in px."""
        low, high = self.values[0], self.values[-1]
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    def ticks(self, label: Callable[[float], str]) -> tuple[Tick, ...]:
        """A tick per value, with the text of ``label``."""
        return tuple(Tick(self.position(value), label(value)) for value in self.values)


@dataclass(frozen=True)
class LogAxis(Axis):
    """An axis on which equal ratios have equal distances; all values are above 0."""

    @classmethod
    def around(cls, values: Iterable[float], min_step: float, start: float, end: float) -> "LogAxis":
        """From ``start`` to ``end`` px around ``values``: 1, 2 and 5 times powers of ten, or these alone.

        ``min_step`` is of no use here: neighbors differ by a factor.
        """
        low, high = min(values := list(values)), max(values)
        decades = range(floor(log10(low)) - 1, ceil(log10(high)) + 2)
        factors = (1, 2, 5) if high < 200 * low else (1,)
        steps = [factor * 10.0**decade for decade in decades for factor in factors]
        first = max(index for index, step in enumerate(steps) if step <= low * (1 + 1e-9))
        last = min(index for index, step in enumerate(steps) if step >= high * (1 - 1e-9))
        return cls(tuple(steps[first : max(last, first + 1) + 1]), start, end)

    def position(self, value: float) -> float:
        """The position of ``value`` in the figure, in px."""
        low, high = log10(self.values[0]), log10(self.values[-1])
        return self.start + (self.end - self.start) * (log10(value) - low) / (high - low)


def power_of_ten(exponent: float) -> str:
    """``-12`` as 10 with the exponent -12 in superscript."""
    digits = str.maketrans(
        "-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
    )
    return "10" + f"{exponent:g}".translate(digits)
