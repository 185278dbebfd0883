"""The page that compares runs: every run in curves and table, settings that differ, all text escaped."""

from dataclasses import replace
from pathlib import Path

import pytest

from verydeep.number_format import percent
from verydeep.report.charts.line_plots import HEIGHT, WIDTH
from verydeep.report.run_comparison.figures import run_figures
from verydeep.report.run_comparison.page import MAX_CURVES, render_runs_page, write_runs_page
from verydeep.saved_runs.recipe_of_run import NearestRecipe
from verydeep.saved_runs.saved_run import SavedRun

from ..html import check_page, titles, words
from ..trainings import epoch

FOLDER = Path("runs")
EPOCHS = tuple(
    replace(
        epoch(number), train_loss=2.0 / number, val_loss=2.2 / number, val_top1=top1, seconds=100.0 * number
    )
    for number, top1 in ((1, 0.5), (2, 0.8), (3, 0.9))
)


def run(name, history=EPOCHS, **settings):
    last = history[-1] if history else None
    return SavedRun(
        path=FOLDER / name, command="train", state="finished", data="cells", network="vgg-tiny",
        epochs=len(history), val_top1=last and last.val_top1, test_top1=0.87, seconds=last and last.seconds,
        settings={"seed": 0, "epochs": 3} | settings, recipe=NearestRecipe("fast", 1), history=history,
    )  # fmt: skip


RUNS = (run("<one>"), run("two", EPOCHS[:2], seed=5), run("three"))


def test_the_page_has_every_run_and_how_it_differs():
    page = render_runs_page(RUNS, FOLDER, "verydeep runs --out 'a b.html'")
    check_page(page)
    text = words(page)
    assert titles(page) == ["Learning curves", "Results", "Settings that differ", "Reproduce"]
    assert "Highest validation accuracy 90.00 % <one>" in text and "13 min 20 s" in text
    assert "two fast +1 cells vgg-tiny 2 80.00 % 87.00 % 3 min 20 s" in text
    assert "most runs of train seed 0 two seed 5 Reproduce" in text
    assert "&lt;one&gt;" in page and "<one>" not in page and "verydeep runs --out 'a b.html'" in text


def test_each_figure_has_a_curve_of_each_run_with_a_point_per_epoch():
    figures = run_figures({each.path.name: each for each in RUNS})
    assert [figure.title.split(" by ") for figure in figures] == [
        ["Validation accuracy", "epoch"], ["Validation accuracy", "time"], ["Validation loss", "epoch"],
        ["Training loss", "epoch"],
    ]  # fmt: skip
    for figure in figures:
        assert [len(curve.points) for curve in figure.curves] == [3, 2, 3]
        assert all(0 < p.x < WIDTH and 0 < p.y < HEIGHT for curve in figure.curves for p in curve.points)
    by_time = figures[1]
    assert by_time.x_name == "training time (min)"  # 300 s
    assert by_time.curves[1].points[0].label == f"two, training time (min) 1.67: {percent(0.5)}"


def test_what_was_not_measured_is_left_out():
    broken = replace(EPOCHS[0], val_loss=None, val_top1=None, train_loss=float("inf"))
    runs = (run("probe", ()), run("no-validation", (replace(broken, train_loss=1.0), broken)))
    (figure,) = run_figures({"no-validation": runs[1]})
    assert (figure.title, len(figure.curves[0].points)) == ("Training loss by epoch", 1)
    page = render_runs_page(runs, FOLDER, "verydeep runs")
    check_page(page)
    assert titles(page) == ["Learning curves", "Results", "Reproduce"]
    assert titles(render_runs_page(runs[:1], FOLDER, "verydeep runs")) == ["Results", "Reproduce"]
    assert "Highest validation accuracy" not in page


def test_of_many_runs_the_best_are_drawn():
    many = [run(f"run-{number}", (replace(EPOCHS[0], val_top1=number / 100),)) for number in range(30)]
    page = render_runs_page(many, FOLDER, "verydeep runs")
    assert "12 more runs, of lower validation accuracy, are only in the table" in words(page)
    assert page.count("<polyline") == 4 * MAX_CURVES and page.count('<th scope="row">') == 30
    assert 'class="series-6 dash-2"' in page and "dash-3" not in page


@pytest.mark.parametrize("seconds", [10.0, 7200.0])
def test_times_have_a_unit_that_fits(seconds):
    figures = run_figures({"a": run("a", (replace(EPOCHS[0], seconds=seconds),))})
    assert figures[1].x_name == f"training time ({'h' if seconds > 100 else 's'})"


def test_the_page_is_written_complete(tmp_path):
    write_runs_page(RUNS, FOLDER, tmp_path / "runs.html", "verydeep runs")
    written = (tmp_path / "runs.html").read_text(encoding="utf-8")
    assert written == render_runs_page(RUNS, FOLDER, "verydeep runs")
