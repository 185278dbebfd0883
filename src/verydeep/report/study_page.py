"""The report of a study: an HTML page, its conclusions in Markdown, and its outcomes in JSON."""

import json
from dataclasses import dataclass
from pathlib import Path

from verydeep.atomic_write import write_text
from verydeep.foreign_text import markdown_text
from verydeep.number_format import duration
from verydeep.report import study_plots
from verydeep.report.charts import line_plots as plots
from verydeep.report.charts.line_chart import LineChart, series_classes
from verydeep.report.strip_plots import StripPlot, strip_plots
from verydeep.study.study_result import StudyResult
from verydeep.study.trial import PROBE_STEPS, by_variant
from verydeep.tables import data_table
from verydeep.tables.study_table import StudyRow, published_table, runs_table, summary
from verydeep.templates.environment import environment


def write_study(result: StudyResult, full: StudyResult | None, folder: Path) -> Path:
    """Write ``study.html``, ``study.json`` and ``study.md`` into ``folder``; returns the path of the page.

    ``full`` is the full study, shown beside the result.
    """
    files = {
        "study.html": render_study(result, full),
        "study.json": json.dumps(result.to_dict(), indent=1),
        "study.md": markdown(result, full),
    }
    for name, text in files.items():
        write_text(folder / name, text)
    return folder / "study.html"


def render_study(result: StudyResult, full: StudyResult | None = None) -> str:
    """The page as HTML, all text escaped."""
    shown = [_figures(each) for each in (result, full) if each is not None]
    sizes = (figure for each in shown for figure in study_plots.size_charts(each.result.outcomes))
    groups = dict.fromkeys(curve.name for figure in sizes for curve in figure.curves)
    return (
        environment()
        .get_template("study_page.html.j2")
        .render(
            study=result.study,
            result=result,
            full=full,
            shown=shown,
            groups=series_classes(groups),
            series=series_classes(by_variant([run for each in shown for run in each.result.outcomes])),
            plots=plots,
        )
    )


@dataclass(frozen=True, kw_only=True)
class _Figures:
    """The table and the figures of one result."""

    result: StudyResult
    rows: tuple[StudyRow, ...]
    strips: tuple[StripPlot, ...]
    curves: tuple[LineChart, ...]
    gradients: tuple[tuple[int, tuple[LineChart, ...]], ...]
    sizes: tuple[LineChart, ...]


def _figures(result: StudyResult) -> _Figures:
    outcomes = result.outcomes
    return _Figures(
        result=result,
        rows=summary(outcomes),
        strips=strip_plots(outcomes),
        curves=study_plots.training_curves(outcomes),
        gradients=tuple(
            (step, study_plots.gradient_charts(outcomes, step)) for step in (0, max(PROBE_STEPS))
        ),
        sizes=(*study_plots.size_charts(outcomes), *study_plots.image_charts(outcomes)),
    )


def markdown(result: StudyResult, full: StudyResult | None = None) -> str:
    """The question, the conclusions and the tables in Markdown, to include in another page.

    With ``full``, that study comes first, and the result after it as the quick one.
    """
    study = result.study
    parts = [f"# {study.title}", study.question, study.protocol]
    if full is None:
        parts += _result_markdown(result)
    else:
        parts += [
            "## The full study",
            *_result_markdown(full),
            "## The quick study",
            *_result_markdown(result),
        ]
    if study.published is not None:
        parts += ["## The papers"] if full is not None else []
        parts += [study.published.caption + ":", data_table.markdown(published_table(study.published))]
    return "\n\n".join([*parts, f"Based on {study.source}."]) + "\n"


def _result_markdown(result: StudyResult) -> list[str]:
    machine = f"Machine: {result.machine['processor']}, {result.machine['precision']}"
    data = f"Data: {markdown_text(result.dataset)}"
    return [
        f"`{result.command}`",
        f"{data}. {machine}; {duration(result.seconds)} in all runs together.",
        f"**{result.findings[0]}**",
        *result.findings[1:],
        data_table.markdown(runs_table(result.outcomes)),
    ]
