"""The figures of a tuning as plain geometry: ways with their intervals, and the search for the strength."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite, log10

from verydeep.evaluate.score import Score
from verydeep.report.axis import Axis, power_of_ten
from verydeep.report.line_plots import HEIGHT, LEFT, RIGHT, WIDTH, Chart, Curve, Point, Tick
from verydeep.tables.format import percent
from verydeep.tune.result import Candidate, CrossValidation, TuneResult, Way

WAYS: dict[Way, str] = {
    "frozen": "a new head, the rest frozen",
    "full": "the network trained on",
    "from-scratch": "from scratch",
}
"""What each way is called on the page."""
TOP, BOTTOM, NAME, LINE = 4.0, 26.0, 24.0, 18.0
"""Of a figure of intervals: its margins, and the heights of a name and of an interval below it, in px."""
SIDE = 16.0
"""Its margins left and right."""


@dataclass(frozen=True, kw_only=True)
class PlottedInterval:
    """A measured value with its whiskers, across."""

    kind: str
    """What it was measured on: validation, cross-validation or test."""
    x: float
    y: float
    low: float
    high: float
    label: str


@dataclass(frozen=True, kw_only=True)
class StrategyRow:
    """One way to learn, with what was measured of it."""

    name: str
    y: float
    is_chosen: bool
    intervals: tuple[PlottedInterval, ...]


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """A figure of one row a way, on one axis."""

    height: float
    across: tuple[Tick, ...]
    rows: tuple[StrategyRow, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """What was measured on, each once, for the legend."""
        return tuple(dict.fromkeys(one.kind for row in self.rows for one in row.intervals))

    @property
    def description(self) -> str:
        """What a reader who does not see the figure is told."""
        return "Balanced accuracy with its 95 % interval. " + "; ".join(
            one.label for row in self.rows for one in row.intervals
        )


def intervals(result: TuneResult) -> Intervals | None:
    """Balanced accuracy of all ways that were measured, with 95 % intervals; None where none was."""
    measured = [(each, scores) for each in result.candidates if (scores := _scores(each, result.validation))]
    if not measured:
        return None
    values = [
        value
        for _, scores in measured
        for one in scores.values()
        for value in (*one.interval, one.balanced_accuracy)
    ]
    across = Axis.around(values, 1e-3, SIDE, WIDTH - SIDE)
    rows, y = [], TOP
    for candidate, scores in measured:
        rows.append(_row(candidate, scores, candidate.way == result.chosen, y, across))
        y += NAME + LINE * len(scores) + 6
    decimals = 0 if across.values[1] - across.values[0] >= 0.01 else 1
    return Intervals(
        height=y + BOTTOM, across=across.ticks(partial(percent, decimals=decimals)), rows=tuple(rows)
    )


def _scores(candidate: Candidate, validation: CrossValidation | None) -> dict[str, Score]:
    """What a way was measured on; the frozen head has cross-validation where no images were held out."""
    found = {"validation": candidate.validation, "test": candidate.test}
    if candidate.way == "frozen" and candidate.validation is None and validation is not None:
        found = {"cross-validation": validation.score, "test": candidate.test}
    return {kind: score for kind, score in found.items() if score is not None}


def _row(
    candidate: Candidate, scores: dict[str, Score], is_chosen: bool, y: float, across: Axis
) -> StrategyRow:
    name = WAYS[candidate.way]
    return StrategyRow(
        name=name,
        y=y + 15,
        is_chosen=is_chosen,
        intervals=tuple(
            PlottedInterval(
                kind=kind,
                x=across.position(score.balanced_accuracy),
                y=y + NAME + LINE * (place + 0.5),
                low=across.position(score.interval[0]),
                high=across.position(score.interval[1]),
                label=f"{name}, {kind}: {percent(score.balanced_accuracy)} ({span(score)})",
            )
            for place, (kind, score) in enumerate(scores.items())
        ),
    )


def span(score: Score) -> str:
    """The interval of a score in words."""
    low, high = score.interval
    return f"{percent(low, 1)} to {percent(high, 1)}"


def strength_charts(validation: CrossValidation | None) -> tuple[Chart, ...]:
    """Balanced accuracy and loss over the strength of regularization; none where it was not searched for."""
    if validation is None or not validation.curve:
        return ()
    points = sorted(validation.curve, key=lambda point: point.strength)
    right = [
        _Value(point.strength, at, max(at - point.standard_error, 0.0), min(at + point.standard_error, 1.0))
        for point in points
        for at in [point.balanced_accuracy]
    ]
    losses = [_Value(point.strength, point.loss) for point in points if isfinite(point.loss)]
    chosen = validation.strength
    return (
        _chart("Balanced accuracy", "with its standard error", right, chosen, percent),
        *([_chart("Log loss", "in nats an image", losses, chosen, "{:.3f}".format)] if losses else []),
    )


@dataclass(frozen=True)
class _Value:
    """What was measured at a strength, not placed yet."""

    strength: float
    value: float
    low: float | None = None
    high: float | None = None


def _chart(
    title: str, what: str, values: Sequence[_Value], chosen: float, say: Callable[[float], str]
) -> Chart:
    """A curve over strengths; the ``chosen`` one is marked."""
    up = Axis.vertical(
        [end for one in values for end in (one.value, one.low, one.high) if end is not None], 1e-3
    )
    exponents = [log10(one.strength) for one in values]
    across = Axis.around([*exponents, log10(chosen)], 1.0, float(LEFT), float(WIDTH - RIGHT))
    tick = partial(percent, decimals=0 if up.values[1] - up.values[0] >= 0.01 else 1)
    points = tuple(
        Point(
            across.position(log10(one.strength)),
            up.position(one.value),
            f"strength {one.strength:.2g}: {say(one.value)}",
            None if one.low is None else up.position(one.low),
            None if one.high is None else up.position(one.high),
        )
        for one in values
    )
    at_chosen = next((say(one.value) for one in values if one.strength == chosen), "")
    return Chart(
        title=title,
        caption=f"{what}, by strength of regularization: weak at the left, strong at the right",
        height=HEIGHT,
        x_ticks=across.ticks(power_of_ten),
        y_ticks=up.ticks(tick if say is percent else "{:g}".format),
        curves=(Curve("held out", points, at_chosen),),
        mark=Tick(across.position(log10(chosen)), f"{chosen:.2g} was chosen"),
        last="is, where chosen,",
    )
