"""The strip plots of a study as geometry: a dot for each run, in a column for each variant."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from verydeep.number_format import percent
from verydeep.report.charts.axis import Axis
from verydeep.report.charts.line_plots import LEFT, RIGHT, WIDTH, Point, Tick
from verydeep.study.statistics import Estimate, estimate
from verydeep.study.trial import Outcome, by_group, by_variant


@dataclass(frozen=True, kw_only=True)
class MeanBar:
    """A mean and the ends of its interval, as positions in the figure."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class StripColumn:
    """The runs of one variant: a dot per run, their mean, and its 95 % interval."""

    name: str
    x: float
    dots: tuple[Point, ...]
    stopped: tuple[Point, ...]
    """The runs that did not learn, at the bottom of the figure."""
    mean: MeanBar | None
    """None where no run learned."""
    label: str


@dataclass(frozen=True, kw_only=True)
class StripPlot:
    """A figure with one column per variant."""

    title: str
    y_ticks: tuple[Tick, ...]
    columns: tuple[StripColumn, ...]


def strip_plots(outcomes: Sequence[Outcome]) -> tuple[StripPlot, ...]:
    """Test accuracies, one figure per group, with the runs that stopped; all have the same y axis."""
    measured = [run.test_top1 for run in outcomes if run.test_top1 is not None]
    if not measured:
        return ()
    trained = [run for run in outcomes if run.test_top1 is not None or run.failed is not None]
    return tuple(
        _strip_plot(title, runs, Axis.vertical(measured)) for title, runs in by_group(trained).items()
    )


def _strip_plot(title: str, outcomes: Sequence[Outcome], axis: Axis) -> StripPlot:
    variants = by_variant(outcomes)
    width = (WIDTH - LEFT - RIGHT) / len(variants)
    decimals = 0 if axis.values[1] - axis.values[0] >= 0.01 else 1
    return StripPlot(
        title=title or "Test accuracy",
        y_ticks=axis.ticks(partial(percent, decimals=decimals)),
        columns=tuple(
            _column(name, runs, LEFT + width * (index + 0.5), axis)
            for index, (name, runs) in enumerate(variants.items())
        ),
    )


def _column(name: str, runs: Sequence[Outcome], x: float, axis: Axis) -> StripColumn:
    learned = [(run, run.test_top1) for run in runs if run.test_top1 is not None]
    stopped = [run for run in runs if run.test_top1 is None]
    mean = estimate([value for _, value in learned]) if learned else None
    facts = [
        *([f"mean {percent(mean.mean)} of {mean.count}"] if mean else []),
        *([f"{len(stopped)} stopped"] if stopped else []),
    ]
    return StripColumn(
        name=name,
        x=x,
        dots=tuple(Point(x, axis.position(value), f"{run.name}: {percent(value)}") for run, value in learned),
        stopped=tuple(Point(x, axis.position(axis.values[0]), f"{run.name}: stopped") for run in stopped),
        mean=None if mean is None else _mean_bar(mean, axis),
        label=f"{name}: {', '.join(facts)}",
    )


def _mean_bar(mean: Estimate, axis: Axis) -> MeanBar:
    """``mean``, clipped to the figure."""
    return MeanBar(
        mean=axis.position(mean.mean),
        low=axis.position(max(mean.low, axis.values[0])),
        high=axis.position(min(mean.high, axis.values[-1])),
    )
