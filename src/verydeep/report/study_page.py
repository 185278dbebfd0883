"""The report of a study: an HTML page, its conclusions in Markdown, and its outcomes in JSON."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verydeep.atomic_write import write_text
from verydeep.machine import Device
from verydeep.number_format import duration
from verydeep.report import study_plots
from verydeep.report.charts import line_plots as plots
from verydeep.report.charts.line_chart import LineChart, series_classes
from verydeep.report.study_plots import StripPlot
from verydeep.study.study_result import StudyResult
from verydeep.study.trial import PROBE_STEPS, Outcome, Study, Trial, by_variant
from verydeep.tables import data_table
from verydeep.tables.study_table import StudyRow, published_table, runs_table, summary
from verydeep.templates.environment import environment
from verydeep.train.device import choose_device, choose_precision, describe


def study_result(
    study: Study,
    data: str,
    trials: Sequence[Trial],
    outcomes: Mapping[str, Outcome],
    device: Device,
    full: bool,
) -> StudyResult:
    """The result of ``trials`` of ``study``, whose ``outcomes`` are given by name."""
    chosen = choose_device(device)
    command = ["verydeep", "study", study.name, "--data", data, *(["--full"] if full else [])]
    return StudyResult(
        study=study,
        dataset=_dataset_text(data, trials),
        outcomes=tuple(outcomes[trial.name] for trial in trials),
        command=shlex.join(command),
        machine=describe(chosen, choose_precision("auto", chosen)),
    )


def _dataset_text(data: str, trials: Sequence[Trial]) -> str:
    """``fashion-mnist, 6,000 of the training images, 10 epochs``."""
    images = _range([trial.images for trial in trials if trial.images is not None])
    whole = any(trial.images is None for trial in trials)
    parts = [data, "all training images" if not images else f"{images} of the training images"]
    if images and whole:
        parts[1] = f"{images} or all of the training images"
    epochs = [trial.recipe.epochs for trial in trials if trial.kind == "training"]
    numbers = [number for number in epochs if number != "auto"]
    return ", ".join([*parts, *([f"{_range(numbers)} epochs"] if numbers else [])])


def _range(numbers: Sequence[int]) -> str:
    """``6,000``, or ``50 to 6,000``; empty for none."""
    ends = sorted({min(numbers), max(numbers)}) if numbers else []
    return " to ".join(f"{number:,}" for number in ends)


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
    curves = (curve.name for each in shown for figure in each.sizes for curve in figure.curves)
    return (
        environment()
        .get_template("study_page.html.j2")
        .render(
            study=result.study,
            result=result,
            full=full,
            shown=shown,
            groups=series_classes(dict.fromkeys(curves)),
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
        strips=study_plots.strip_plots(outcomes),
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
    machine = f"{result.machine['processor']}, {result.machine['precision']}"
    return [
        f"`{result.command}`",
        f"Data: {result.dataset}. Machine: {machine}; {duration(result.seconds)} in all runs together.",
        f"**{result.findings[0]}**",
        *result.findings[1:],
        data_table.markdown(runs_table(result.outcomes)),
    ]
