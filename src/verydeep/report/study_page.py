"""The report of a study: an HTML page, its conclusions in Markdown, and its outcomes in JSON."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from verydeep.atomic_write import write_text
from verydeep.machine import Device
from verydeep.report import study_plots
from verydeep.report.charts import line_plots as plots
from verydeep.report.charts.line_chart import series_classes
from verydeep.study.trial import PROBE_STEPS, Outcome, Study, Trial, by_variant
from verydeep.tables import data_table
from verydeep.tables.study_table import published_table, runs_table, summary
from verydeep.templates.environment import environment
from verydeep.train.device import choose_device, choose_precision, describe


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """The content of the report of a study."""

    study: Study
    dataset: str
    outcomes: tuple[Outcome, ...]
    """In the order of the study's trials."""
    command: str
    machine: Mapping[str, str]

    @property
    def findings(self) -> tuple[str, ...]:
        """The findings in sentences, the main conclusion first."""
        return self.study.conclude(self.outcomes)

    @property
    def seconds(self) -> float:
        """The sum over all trials."""
        return sum(outcome.seconds for outcome in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """JSON values, the content of ``study.json``."""
        return {
            "study": self.study.name,
            "data": self.dataset,
            "conclusion": self.findings[0],
            "findings": list(self.findings),
            "seconds": self.seconds,
            "machine": dict(self.machine),
            "outcomes": [asdict(outcome) for outcome in self.outcomes],
        }


def study_report(
    study: Study, data: str, trials: Sequence[Trial], outcomes: Mapping[str, Outcome], device: Device
) -> StudyReport:
    """The report of ``trials`` of ``study``, whose ``outcomes`` are given by name."""
    chosen = choose_device(device)
    return StudyReport(
        study=study,
        dataset=_dataset_text(data, trials[0]),
        outcomes=tuple(outcomes[trial.name] for trial in trials),
        command=shlex.join(["verydeep", "study", study.name, "--data", data]),
        machine=describe(chosen, choose_precision("auto", chosen)),
    )


def _dataset_text(data: str, trial: Trial) -> str:
    images = "all training images" if trial.images is None else f"{trial.images:,} of the training images"
    return f"{data}, {images}" + (f", {trial.recipe.epochs} epochs" if trial.kind == "training" else "")


def write_study(report: StudyReport, folder: Path) -> Path:
    """Write ``study.html``, ``study.json`` and ``study.md`` into ``folder``; returns the path of the page."""
    files = {
        "study.html": render_study(report),
        "study.json": json.dumps(report.to_dict(), indent=1),
        "study.md": markdown(report),
    }
    for name, text in files.items():
        write_text(folder / name, text)
    return folder / "study.html"


def render_study(report: StudyReport) -> str:
    """The page as HTML, all text escaped."""
    size_charts = study_plots.size_charts(report.outcomes)
    return (
        environment()
        .get_template("study_page.html.j2")
        .render(
            report=report,
            study=report.study,
            rows=summary(report.outcomes),
            strip_plots=study_plots.strip_plots(report.outcomes),
            loss_charts=study_plots.loss_charts(report.outcomes),
            gradient_charts=[
                (step, study_plots.gradient_charts(report.outcomes, step)) for step in (0, max(PROBE_STEPS))
            ],
            size_charts=size_charts,
            groups=series_classes(curve.name for figure in size_charts for curve in figure.curves),
            series=series_classes(by_variant(report.outcomes)),
            plots=plots,
        )
    )


def markdown(report: StudyReport) -> str:
    """The question, the conclusions and the tables in Markdown, to include in another page."""
    parts = [f"# {report.study.title}", report.study.question, report.study.protocol]
    parts += [
        f"Data: {report.dataset}. Machine: {report.machine['processor']}, {report.machine['precision']}."
    ]
    parts += [f"**{report.findings[0]}**", *report.findings[1:]]
    parts += [data_table.markdown(runs_table(report.outcomes))]
    if report.study.published is not None:
        parts += [report.study.published.caption + ":"]
        parts += [data_table.markdown(published_table(report.study.published))]
    return "\n\n".join([*parts, f"Based on {report.study.source}.", f"`{report.command}`"]) + "\n"
