"""The figures of `verydeep tune` as geometry: strategies with intervals, and the search over L2 strengths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite, log10

from verydeep.evaluate.evaluation import Evaluation
from verydeep.number_format import percent
from verydeep.report.charts.axis import Axis, power_of_ten
from verydeep.report.charts.line_plots import HEIGHT, LEFT, RIGHT, WIDTH, Chart, Curve, Point, Tick
from verydeep.report.tune_text import STRATEGIES
from verydeep.tune.result import CrossValidation, StrategyResult, TuneResult

TOP, BOTTOM, NAME, LINE = 4.0, 26.0, 24.0, 18.0
"""Of a figure of intervals: its margins, and the heights of a name and of an interval below it, in px."""
SIDE = 16.0
"""Its margins left and right."""


@dataclass(frozen=True, kw_only=True)
class PlottedInterval:
    """A measured value with its 95 % interval."""

    measured_on: str
    """validation, cross-validation or test."""
    x: float
    y: float
    low: float
    high: float
    label: str


@dataclass(frozen=True, kw_only=True)
class StrategyRow:
    """One strategy with its intervals."""

    name: str
    y: float
    is_chosen: bool
    intervals: tuple[PlottedInterval, ...]


@dataclass(frozen=True, kw_only=True)
class IntervalPlot:
    """A figure with one row per strategy and a common x axis."""

    height: float
    x_ticks: tuple[Tick, ...]
    rows: tuple[StrategyRow, ...]

    @property
    def legend(self) -> tuple[str, ...]:
        """What intervals were measured on, each once."""
        return tuple(dict.fromkeys(each.measured_on for row in self.rows for each in row.intervals))

    @property
    def description(self) -> str:
        """The text alternative for screen readers."""
        return "Balanced accuracy with 95 % intervals. " + "; ".join(
            each.label for row in self.rows for each in row.intervals
        )


def interval_plot(result: TuneResult) -> IntervalPlot | None:
    """Balanced accuracy of all strategies that were measured, with 95 % intervals; None where none was."""
    measured = [
        (each, evaluations) for each in result.strategies if (evaluations := _evaluations(each, result.probe))
    ]
    if not measured:
        return None
    intervals = [
        evaluation.intervals["balanced_accuracy"]
        for _, evaluations in measured
        for evaluation in evaluations.values()
    ]
    values = [value for each in intervals for value in (each.low, each.value, each.high)]
    x_axis = Axis.around(values, 1e-3, SIDE, WIDTH - SIDE)
    rows, y = [], TOP
    for strategy, evaluations in measured:
        rows.append(_row(strategy, evaluations, strategy.strategy == result.chosen, y, x_axis))
        y += NAME + LINE * len(evaluations) + 6
    decimals = 0 if x_axis.values[1] - x_axis.values[0] >= 0.01 else 1
    return IntervalPlot(
        height=y + BOTTOM, x_ticks=x_axis.ticks(partial(percent, decimals=decimals)), rows=tuple(rows)
    )


def _evaluations(result: StrategyResult, probe: CrossValidation | None) -> dict[str, Evaluation]:
    """The evaluations of a strategy by what they were measured on.

    Where nothing is compared, the validation of the linear probe is its cross-validation.
    """
    validation = result.validation
    is_crossed = result.strategy == "linear-probe" and probe is not None and validation is probe.evaluation
    evaluations = {"cross-validation" if is_crossed else "validation": validation, "test": result.test}
    return {name: evaluation for name, evaluation in evaluations.items() if evaluation is not None}


def _row(
    result: StrategyResult, evaluations: dict[str, Evaluation], is_chosen: bool, y: float, x_axis: Axis
) -> StrategyRow:
    name = STRATEGIES[result.strategy]
    return StrategyRow(
        name=name,
        y=y + 15,
        is_chosen=is_chosen,
        intervals=tuple(
            PlottedInterval(
                measured_on=measured_on,
                x=x_axis.position(evaluation.balanced_accuracy),
                y=y + NAME + LINE * (index + 0.5),
                low=x_axis.position(evaluation.intervals["balanced_accuracy"].low),
                high=x_axis.position(evaluation.intervals["balanced_accuracy"].high),
                label=(
                    f"{name}, {measured_on}: {percent(evaluation.balanced_accuracy)} "
                    f"({interval_range(evaluation)})"
                ),
            )
            for index, (measured_on, evaluation) in enumerate(evaluations.items())
        ),
    )


def interval_range(evaluation: Evaluation) -> str:
    """The 95 % interval of balanced accuracy as text."""
    interval = evaluation.intervals["balanced_accuracy"]
    return f"{percent(interval.low, 1)} to {percent(interval.high, 1)}"


def l2_charts(probe: CrossValidation | None) -> tuple[Chart, ...]:
    """Balanced accuracy and loss by L2 strength; none where the strength was given."""
    if probe is None or len(probe.curve) < 2:
        return ()
    points = sorted(probe.curve, key=lambda point: point.l2)
    accuracies = [
        _Value(
            point.l2,
            point.balanced_accuracy,
            max(point.balanced_accuracy - point.standard_error, 0.0),
            min(point.balanced_accuracy + point.standard_error, 1.0),
        )
        for point in points
    ]
    losses = [_Value(point.l2, point.loss) for point in points if isfinite(point.loss)]
    over = "by L2 strength, from weak to strong"
    chart = _chart("Balanced accuracy", f"{over}; bars are standard errors", accuracies, probe.l2, percent)
    if not losses:
        return (chart,)
    return chart, _chart("Log loss", f"in nats per image, {over}", losses, probe.l2, "{:.3f}".format)


@dataclass(frozen=True)
class _Value:
    """A value that was measured at an L2 strength."""

    l2: float
    value: float
    low: float | None = None
    high: float | None = None


def _chart(
    title: str, caption: str, values: Sequence[_Value], chosen: float, text: Callable[[float], str]
) -> Chart:
    """A curve over L2 strengths; the ``chosen`` one is marked."""
    ends = [end for each in values for end in (each.value, each.low, each.high) if end is not None]
    y_axis = Axis.vertical(ends, 1e-3)
    exponents = [log10(each.l2) for each in values]
    x_axis = Axis.around([*exponents, log10(chosen)], 1.0, float(LEFT), float(WIDTH - RIGHT))
    tick = partial(percent, decimals=0 if y_axis.values[1] - y_axis.values[0] >= 0.01 else 1)
    points = tuple(
        Point(
            x_axis.position(log10(each.l2)),
            y_axis.position(each.value),
            f"L2 strength {each.l2:.2g}: {text(each.value)}",
            None if each.low is None else y_axis.position(each.low),
            None if each.high is None else y_axis.position(each.high),
        )
        for each in values
    )
    at_chosen = next((text(each.value) for each in values if each.l2 == chosen), "")
    return Chart(
        title=title,
        x_name="",
        caption=caption,
        height=HEIGHT,
        x_ticks=x_axis.ticks(power_of_ten),
        y_ticks=y_axis.ticks(tick if text is percent else "{:g}".format),
        curves=(Curve("cross-validation", points, at_chosen),),
        mark=Tick(x_axis.position(log10(chosen)), f"{chosen:.2g} was chosen"),
        last="at the chosen strength:",
    )
