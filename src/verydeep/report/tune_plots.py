"""The figures of `verydeep tune` as plain geometry: strategies with intervals, and the search for L2."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite, log10

from verydeep.evaluate.evaluation import Evaluation
from verydeep.number_format import percent
from verydeep.report.axis import Axis, power_of_ten
from verydeep.report.line_plots import HEIGHT, LEFT, RIGHT, WIDTH, Chart, Curve, Point, Tick
from verydeep.report.tune_text import STRATEGIES
from verydeep.tune.result import CrossValidation, StrategyResult, TuneResult

TOP, BOTTOM, NAME, LINE = 4.0, 26.0, 24.0, 18.0
"""Of a figure of intervals: its margins, and the heights of a name and of an interval below it, in px."""
SIDE = 16.0
"""Its margins left and right."""


@dataclass(frozen=True, kw_only=True)
class PlottedInterval:
    """A measured value with its whiskers."""

    kind: str
    """What it was measured on: validation, cross-validation or test."""
    x: float
    y: float
    low: float
    high: float
    label: str


@dataclass(frozen=True, kw_only=True)
class StrategyRow:
    """One strategy, with what was measured of it."""

    name: str
    y: float
    is_chosen: bool
    intervals: tuple[PlottedInterval, ...]


@dataclass(frozen=True, kw_only=True)
class IntervalPlot:
    """A figure of one row per strategy, on one axis."""

    height: float
    x_ticks: tuple[Tick, ...]
    rows: tuple[StrategyRow, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """What was measured on, each once, for the legend."""
        return tuple(dict.fromkeys(each.kind for row in self.rows for each in row.intervals))

    @property
    def description(self) -> str:
        """For a reader who does not see the figure."""
        return "Balanced accuracy with its 95 % interval. " + "; ".join(
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
    """What a strategy was measured on; the linear probe on cross-validation where nothing was compared."""
    validation = result.validation
    is_crossed = result.strategy == "linear-probe" and probe is not None and validation is probe.evaluation
    found = {"cross-validation" if is_crossed else "validation": validation, "test": result.test}
    return {kind: evaluation for kind, evaluation in found.items() if evaluation is not None}


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
                kind=kind,
                x=x_axis.position(evaluation.balanced_accuracy),
                y=y + NAME + LINE * (index + 0.5),
                low=x_axis.position(evaluation.intervals["balanced_accuracy"].low),
                high=x_axis.position(evaluation.intervals["balanced_accuracy"].high),
                label=(
                    f"{name}, {kind}: {percent(evaluation.balanced_accuracy)} ({interval_range(evaluation)})"
                ),
            )
            for index, (kind, evaluation) in enumerate(evaluations.items())
        ),
    )


def interval_range(evaluation: Evaluation) -> str:
    """The 95 % interval of balanced accuracy, in words."""
    interval = evaluation.intervals["balanced_accuracy"]
    return f"{percent(interval.low, 1)} to {percent(interval.high, 1)}"


def l2_charts(probe: CrossValidation | None) -> tuple[Chart, ...]:
    """Balanced accuracy and loss over the L2 strength; none where it was not searched for."""
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
    loss_charts = (
        [_chart("Log loss", "in nats per image", losses, probe.l2, "{:.3f}".format)] if losses else []
    )
    return _chart("Balanced accuracy", "with its standard error", accuracies, probe.l2, percent), *loss_charts


@dataclass(frozen=True)
class _Value:
    """What was measured at an L2 strength, not placed yet."""

    l2: float
    value: float
    low: float | None = None
    high: float | None = None


def _chart(
    title: str, what: str, values: Sequence[_Value], chosen: float, text: Callable[[float], str]
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
        caption=f"{what}, by L2 strength: weak at the left, strong at the right",
        height=HEIGHT,
        x_ticks=x_axis.ticks(power_of_ten),
        y_ticks=y_axis.ticks(tick if text is percent else "{:g}".format),
        curves=(Curve("cross-validation", points, at_chosen),),
        mark=Tick(x_axis.position(log10(chosen)), f"{chosen:.2g} was chosen"),
        last="is, at the chosen strength,",
    )
