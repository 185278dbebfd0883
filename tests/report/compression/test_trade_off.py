"""The scatter plots of a compression: positions are in proportion, the limit is a line, all have a text."""

import math

import pytest

from verydeep.compress.settings import STEPS, Limit
from verydeep.report.charts.line_plots import BOTTOM, LEFT, RIGHT, TOP, WIDTH
from verydeep.report.compression.dots import ARROW, SHAPES, dot_kinds
from verydeep.report.compression.trade_off import HEIGHT, trade_offs

from .compressions import candidate, candidates

DROP = Limit(kind="drop", value=15.0)


def plots(tried=None, limit=DROP, result=3):
    return trade_offs(tried or candidates(), result, 0.9, "accuracy", limit)


def by_step(plot):
    return {(dot.step, dot.kind): dot for dot in plot.dots}


def test_dots_lie_where_their_values_are():
    latency, size = plots()
    first = by_step(latency)
    original, narrow, quantize = (first[step, "kept"] for step in ("original", "narrow", "quantize"))
    assert narrow.x == quantize.x < original.x
    assert (narrow.y - original.y) / (quantize.y - original.y) == pytest.approx(0.1 / 0.12)
    assert narrow.low - narrow.y == pytest.approx(narrow.y - narrow.high)
    second = by_step(size)
    ratios = [math.log(90_000 / 9_000), math.log(90_000 / 3_100)]
    distances = [second["original", "kept"].x - second[step, "kept"].x for step in ("narrow", "quantize")]
    assert distances[0] / distances[1] == pytest.approx(ratios[0] / ratios[1])  # a log axis
    for plot in (latency, size):
        assert all(LEFT <= dot.x <= WIDTH - RIGHT for dot in plot.dots)
        assert all(
            TOP - 1e-9 <= y <= HEIGHT - BOTTOM + 1e-9 for dot in plot.dots for y in (dot.y, dot.low, dot.high)
        )


def test_a_loss_far_beyond_all_others_is_drawn_at_the_edge():
    worst = candidate("narrow", kept=False, value=-0.8)
    plot, _ = plots((candidate("original"), candidate("narrow", value=-0.01), worst), result=1)
    assert [dot.is_below for dot in plot.dots if dot.kind == "rejected"] == [True]
    assert by_step(plot)["narrow", "rejected"].y == HEIGHT - BOTTOM - ARROW
    assert not any(dot.is_below for dot in plots()[0].dots)


@pytest.mark.parametrize(
    ("limit", "lines"),
    [
        (DROP, ("limit: \N{MINUS SIGN}15.00 points", "limit: \N{MINUS SIGN}15.00 points")),
        (Limit(kind="latency", value=1.5), ("limit: 1.5", None)),
        (Limit(kind="bytes", value=4_000.0), (None, "limit: 4\N{NO-BREAK SPACE}kB")),
    ],
)
def test_the_limit_is_a_line_in_the_plot_that_has_its_axis(limit, lines):
    drawn = plots(limit=limit)
    assert tuple(plot.line and plot.line.label for plot in drawn) == lines
    assert all(plot.is_upright == (limit.kind != "drop") for plot in drawn if plot.line)


def test_a_limit_far_from_all_dots_leaves_them_apart():
    plot, _ = plots(
        (candidate("original"), candidate("narrow", value=-0.01)), Limit(kind="drop", value=90.0), 1
    )
    assert plot.line.label.endswith("points, below") and plot.line.position == HEIGHT - BOTTOM
    original, narrow = plot.dots
    assert narrow.y - original.y > 20


def test_the_limit_of_the_loss_lies_between_what_is_kept_and_what_is_rejected():
    plot, _ = plots()
    dots = by_step(plot)
    assert dots["quantize", "kept"].y < plot.line.position < dots["narrow", "rejected"].y


def test_the_original_and_the_result_are_named_inside_the_figure():
    for plot in plots():
        names = {dot.name.text: dot for dot in plot.dots if dot.name}
        assert list(names) == ["original", "result"]  # drawn last
        assert names["result"].step == "quantize"
    (alone,) = plots((candidate("original"),), result=0)[0].dots
    assert alone.name.text == "original, result"


def test_a_plot_says_all_its_dots():
    latency, size = plots()
    assert latency.description.startswith("Accuracy by latency. limit: ")
    assert "quantize, kept: 78.00\N{NO-BREAK SPACE}% (\N{MINUS SIGN}12.00 points, from" in size.description
    assert "1\N{NO-BREAK SPACE}ms, 3.10\N{NO-BREAK SPACE}kB, 8 M 24 | gap" in size.description


def test_each_step_has_a_shape_of_its_own():
    assert set(SHAPES) == {"original", *STEPS} and len(set(SHAPES.values())) == len(SHAPES)
    kinds = dot_kinds((*candidates(), candidate("scratch", kept=False)))
    assert [(each.name, each.kind) for each in kinds] == [
        ("original", "kept"), ("narrow, rejected", "rejected"), ("narrow, kept", "kept"),
        ("quantize, kept", "kept"), ("scratch, rejected", "rejected"),
    ]  # fmt: skip
