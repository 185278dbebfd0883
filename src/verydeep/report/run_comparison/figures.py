"""The figures of several runs: accuracy and loss by epoch, and accuracy by training time."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isfinite

from verydeep.number_format import percent
from verydeep.report.charts.line_chart import LineChart, line_chart
from verydeep.saved_runs.saved_run import SavedRun
from verydeep.train.epoch_result import EpochResult

Value = Callable[[EpochResult], float | None]
_UNITS = ((7200.0, "h", 3600.0), (120.0, "min", 60.0), (0.0, "s", 1.0))
"""From so many seconds on, in which unit of how many seconds a time is."""


def run_figures(runs: Mapping[str, SavedRun]) -> tuple[LineChart, ...]:
    """The figures of ``runs``, given by name; one of a value that no run has is left out."""
    unit, seconds = _unit([run.seconds or 0.0 for run in runs.values()])
    by_epoch, by_time = ("epoch", _epoch), (f"training time ({unit})", partial(_time, seconds=seconds))
    accuracy = partial(_figure, runs, tick_text=partial(percent, decimals=1), value_text=percent)
    loss = partial(_figure, runs, tick_text="{:g}".format, value_text="{:.3f}".format)
    figures = (
        accuracy("Validation accuracy by epoch", "accuracy", lambda epoch: epoch.val_top1, by_epoch),
        accuracy("Validation accuracy by time", "accuracy", lambda epoch: epoch.val_top1, by_time),
        loss("Validation loss by epoch", "loss, nats", lambda epoch: epoch.val_loss, by_epoch),
        loss("Training loss by epoch", "loss, nats", lambda epoch: epoch.train_loss, by_epoch),
    )
    return tuple(figure for figure in figures if figure is not None)


def _figure(
    runs: Mapping[str, SavedRun],
    title: str,
    y_name: str,
    value: Value,
    x: tuple[str, Callable[[EpochResult], float]],
    *,
    tick_text: Callable[[float], str],
    value_text: Callable[[float], str],
) -> LineChart | None:
    x_name, position = x
    series = {name: _points(run.history, position, value) for name, run in runs.items()}
    if not any(series.values()):
        return None
    min_x_step = 1.0 if x_name == "epoch" else 1e-6
    return line_chart(title, series, (x_name, y_name), value_text, tick_text, min_x_step=min_x_step)


def _points(
    history: Sequence[EpochResult], position: Callable[[EpochResult], float], value: Value
) -> list[tuple[float, float]]:
    """A loss may be infinite in half precision: such a point is left out."""
    points = ((position(epoch), value(epoch)) for epoch in history)
    return [(x, y) for x, y in points if y is not None and isfinite(y)]


def _epoch(epoch: EpochResult) -> float:
    return float(epoch.epoch)


def _time(epoch: EpochResult, seconds: float) -> float:
    return round(epoch.seconds / seconds, 2)


def _unit(times: Sequence[float]) -> tuple[str, float]:
    longest = max(times, default=0.0)
    return next((unit, seconds) for least, unit, seconds in _UNITS if longest >= least)
