"""The page that compares runs: curves of accuracy and loss, and a table with how their settings differ."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verydeep.atomic_write import write_text
from verydeep.number_format import percent
from verydeep.report.charts import line_plots as plots
from verydeep.report.charts.line_chart import series_classes
from verydeep.report.run_comparison.figures import run_figures
from verydeep.saved_runs.differences import differences, usual_settings
from verydeep.saved_runs.saved_run import SavedRun
from verydeep.tables.runs_table import NUMBERS, TEXTS, run_cells, run_name, setting_texts
from verydeep.templates.environment import environment

MAX_CURVES = 18
"""As many as can be told apart (``series_classes``). Others are only in the table."""


@dataclass(frozen=True, kw_only=True)
class SettingsRow:
    """A row of the table of settings."""

    name: str
    """Of a run, or of a command whose runs mostly have these settings."""
    settings: tuple[str, ...]
    """Such as ``seed 2``."""
    is_usual: bool = False


def write_runs_page(runs: Sequence[SavedRun], folder: Path, path: Path, command: str) -> None:
    """The comparison of ``runs``, which are in ``folder``, as an HTML page at ``path``."""
    write_text(path, render_runs_page(runs, folder, command))


def render_runs_page(runs: Sequence[SavedRun], folder: Path, command: str) -> str:
    """The page as HTML, with all text escaped.

    Args:
        runs: at least one.
        folder: that they are in.
        command: that made the page.
    """
    drawn = _drawn(runs, folder)
    rows = [run_cells(run, folder) for run in runs]
    measured = [run for run in runs if run.val_top1 is not None]
    best = max(measured, key=lambda run: run.val_top1 or 0.0, default=None)
    return (
        environment()
        .get_template("runs_page.html.j2")
        .render(
            title=f"{len(rows):,} {'run' if len(rows) == 1 else 'runs'}",
            folder=folder,
            best=best and (run_name(best, folder), percent(best.val_top1 or 0.0)),
            seconds=sum(run.seconds or 0.0 for run in runs),
            figures=run_figures(drawn),
            series=series_classes(drawn),
            undrawn=sum(bool(run.history) for run in runs) - len(drawn),
            texts=TEXTS,
            numbers=NUMBERS,
            rows=rows,
            names=[run_name(run, folder) for run in runs],
            settings=list(_settings(runs, folder)),
            command=command,
            plots=plots,
        )
    )


def _drawn(runs: Sequence[SavedRun], folder: Path) -> Mapping[str, SavedRun]:
    """The runs with curves by name: those of the highest validation accuracy, in the order of the table."""
    trained = [run for run in runs if run.history]
    best = sorted(trained, key=lambda run: run.val_top1 or 0.0, reverse=True)[:MAX_CURVES]
    return {run_name(run, folder): run for run in trained if run in best}


def _settings(runs: Sequence[SavedRun], folder: Path) -> Iterator[SettingsRow]:
    """Of the settings that are not the same in all runs: what most of a command have, then each other run."""
    different = differences(runs)
    for command, usual in usual_settings(runs).items():
        same = [(run, each) for run, each in zip(runs, different, strict=True) if run.command == command]
        keys = dict.fromkeys(key for _, each in same for key in each)
        if keys:
            shown = {key: usual[key] for key in keys}
            yield SettingsRow(name=f"most runs of {command}", settings=setting_texts(shown), is_usual=True)
        for run, each in same:
            if each:
                yield SettingsRow(name=run_name(run, folder), settings=setting_texts(each))
