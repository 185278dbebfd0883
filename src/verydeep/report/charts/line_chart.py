"""A line plot with a curve for each of several networks or runs, as geometry."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from verydeep.report.charts.axis import Axis, LogAxis
from verydeep.report.charts.line_plots import LEFT, RIGHT, WIDTH, Curve, Point, Tick


@dataclass(frozen=True, kw_only=True)
class LineChart:
    """A figure with one curve per name."""

    title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_name: str
    y_name: str
    curves: tuple[Curve, ...]


COLORS = 6
"""Of curves with a solid stroke; six more are dashed, six more dotted."""


def series_classes(names: Iterable[str]) -> dict[str, str]:
    """The classes in the style sheet of each curve, by its name."""
    return {
        name: f"series-{number % COLORS + 1} dash-{number // COLORS}" for number, name in enumerate(names)
    }


def line_chart(
    title: str,
    series: Mapping[str, Sequence[tuple[int | float, float]]],
    axis_names: tuple[str, str],
    value_text: Callable[[float], str],
    tick_text: Callable[[float], str] = "{:g}".format,
    min_step: float = 1e-6,
    min_x_step: float = 1.0,
    log_x: bool = False,
) -> LineChart:
    """A figure of ``series``, of which at least one has points.

    Args:
        title: of the figure.
        series: the points of each curve by its name; a curve without points is left out.
        axis_names: of x and y; a point is described without what is after a comma.
        value_text: a value as text.
        tick_text: a value at the y axis as text.
        min_step: between ticks of the y axis.
        min_x_step: between ticks of the x axis, which begins at 0.
        log_x: on the x axis, equal ratios have equal distances; it does not begin at 0.
    """
    shown = {name: values for name, values in series.items() if values}
    points = [point for values in shown.values() for point in values]
    y_axis = Axis.vertical((value for _, value in points), min_step)
    x_values = [float(x) for x, _ in points]
    left, right = float(LEFT), float(WIDTH - RIGHT)
    x_axis = (
        LogAxis.around(x_values, min_x_step, left, right)
        if log_x
        else Axis.around((0.0, *x_values), min_x_step, left, right)
    )
    unit = axis_names[0].split(",")[0]
    return LineChart(
        title=title,
        x_ticks=x_axis.ticks("{:,g}".format),
        y_ticks=y_axis.ticks(tick_text),
        x_name=axis_names[0],
        y_name=axis_names[1],
        curves=tuple(
            Curve(
                name,
                tuple(
                    Point(
                        x_axis.position(float(x)),
                        y_axis.position(value),
                        f"{name}, {unit} {x:,g}: {value_text(value)}",
                    )
                    for x, value in values
                ),
                value_text(values[-1][1]),
            )
            for name, values in shown.items()
        ),
    )
