"""The trade-off as scatter plots: accuracy against latency, and against the size of the file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from verydeep.compress.candidate import Candidate, Measured
from verydeep.compress.settings import Limit
from verydeep.number_format import SPACE, bytes_text, percent
from verydeep.report.charts.axis import Axis, LogAxis
from verydeep.report.charts.line_plots import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Tick, round_step
from verydeep.report.compression.dots import Dot, dot, named
from verydeep.report.compression.sentences import points

LOG_FROM = 8.0
"""The ratio of the largest and the smallest value from which on an axis is logarithmic."""
SPAN, LEAST_SPAN = 4.0, 0.02
"""The y axis reaches so many times as far down as what is kept, and at least so far."""
LEAST_STEP = 0.01
"""Between ticks of the x axis, as a share of its largest value."""
HEIGHT = 300
"""Of a plot, in px of the SVG."""


@dataclass(frozen=True, kw_only=True)
class TradeOff:
    """One plot."""

    title: str
    x_name: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    dots: tuple[Dot, ...]
    """Those that matter most come last, on top of the others."""
    line: Tick | None
    """The limit."""
    is_upright: bool
    """Whether the line is vertical."""
    height: int = HEIGHT

    @property
    def description(self) -> str:
        """The text alternative."""
        limit = f"{self.line.label}. " if self.line else ""
        return f"{self.title}. {limit}" + "; ".join(dot.label for dot in self.dots)


@dataclass(frozen=True)
class _Cost:
    """What the x axis shows."""

    name: str
    axis_name: str
    limit: str
    """The kind of limit that is on this axis."""
    of: Callable[[Measured], float]
    text: Callable[[float], str]


def trade_offs(
    candidates: Sequence[Candidate], result: int, original_value: float, measure: str, limit: Limit
) -> tuple[TradeOff, ...]:
    """The plots of ``candidates``, of which the first is the original: by latency, and by bytes.

    Args:
        candidates: at least the original.
        result: the index of the one that is the result.
        original_value: what the original has of the measure that decides, in [0, 1].
        measure: its name.
        limit: that was asked for.
    """
    y_axis = _y_axis(candidates, original_value, limit)
    return tuple(
        TradeOff(
            title=f"{measure[:1].upper()}{measure[1:]} by {cost.name}",
            x_name=cost.axis_name,
            x_ticks=x_axis.ticks(cost.text),
            y_ticks=y_axis.ticks(partial(percent, decimals=_decimals(y_axis))),
            dots=named(
                [
                    dot(each, original_value, x_axis.position(cost.of(each.measured)), y_axis)
                    for each in candidates
                ],
                result,
            ),
            line=_line(limit, original_value, cost, x_axis, y_axis),
            is_upright=limit.kind == cost.limit,
        )
        for cost in _COSTS
        for x_axis in [_x_axis(candidates, cost, limit)]
    )


def _bytes_tick(value: float) -> str:
    """``20000`` as ``20 kB``."""
    number, unit = bytes_text(round(value)).split(SPACE)
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number}{SPACE}{unit}"


_COSTS = (
    _Cost("latency", "latency, ms", "latency", lambda each: each.latency_ms, "{:g}".format),
    _Cost("size of the file", "bytes", "bytes", lambda each: float(each.bytes), _bytes_tick),
)


def _x_axis(candidates: Sequence[Candidate], cost: _Cost, limit: Limit) -> Axis:
    values = [cost.of(each.measured) for each in candidates]
    values += [limit.value] if limit.kind == cost.limit else []
    axis = LogAxis if max(values) >= LOG_FROM * min(values) else Axis
    return axis.around(values, round_step(LEAST_STEP * max(values)), float(LEFT), float(WIDTH - RIGHT))


def _y_axis(candidates: Sequence[Candidate], original: float, limit: Limit) -> Axis:
    """Around all values, but not so far down that those that are kept cannot be told apart.

    The limit of the loss is on it, unless most of the axis would be empty then.
    """
    kept = [each.measured.difference.value for each in candidates if each.kept]
    span = max(SPAN * (max(kept) - min(kept)), LEAST_SPAN)
    if limit.kind == "drop" and limit.value / 100 < span:
        span = max(span, min(SPAN * limit.value / 100, 2 * span))
        kept.append(-limit.value / 100)
    intervals = [each.measured.difference for each in candidates]
    low = max(min([*kept, *(each.low for each in intervals)]), max(kept) - span)
    high = min(max(0.0, *(each.high for each in intervals)), max(kept) + span / 2)
    return Axis.around(
        (max(original + low, 0.0), min(original + high, 1.0)), 0.001, float(HEIGHT - BOTTOM), float(TOP)
    )


def _line(limit: Limit, original: float, cost: _Cost, x_axis: Axis, y_axis: Axis) -> Tick | None:
    if limit.kind == "drop":
        least, text = original - limit.value / 100, f"limit: {points(-limit.value / 100)} points"
        lowest = y_axis.values[0]
        return Tick(y_axis.position(max(least, lowest)), text + (", below" if least < lowest else ""))
    if limit.kind == cost.limit:
        return Tick(x_axis.position(limit.value), f"limit: {cost.text(limit.value)}")
    return None


def _decimals(axis: Axis) -> int:
    """Of a tick in percent."""
    return 0 if axis.values[1] - axis.values[0] >= 0.01 - 1e-9 else 1
