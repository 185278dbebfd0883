"""The page of a study: one HTML file, our numbers beside the paper's."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from verydeep.atomic_write import atomic_write
from verydeep.report import line_plots as plots
from verydeep.report import study_plots
from verydeep.study.trial import PROBE_STEPS, Outcome, Study
from verydeep.tables import data_table as sheet
from verydeep.tables.study_table import published_sheet, runs_sheet, summary
from verydeep.templates.environment import environment


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """All that is said of one study."""

    study: Study
    dataset: str
    outcomes: tuple[Outcome, ...]
    """In the order of the study's trials."""
    command: str
    machine: Mapping[str, str]

    @property
    def findings(self) -> tuple[str, ...]:
        """What the outcomes say, the conclusion first."""
        return self.study.conclude(self.outcomes)

    @property
    def seconds(self) -> float:
        """Of all trials together, as if they had run one after another."""
        return sum(outcome.seconds for outcome in self.outcomes)


def write_study(report: StudyReport, path: Path) -> None:
    """``report`` as a page at ``path``, where a reader never meets half of one."""
    with atomic_write(path) as temporary:
        temporary.write_text(render_study(report), encoding="utf-8")


def render_study(report: StudyReport) -> str:
    """The page as HTML, all text escaped."""
    variants = list(dict.fromkeys(run.variant for run in report.outcomes))
    return (
        environment()
        .get_template("study.html.j2")
        .render(
            report=report,
            study=report.study,
            rows=summary(report.outcomes),
            strips=study_plots.strips(report.outcomes),
            curves=study_plots.loss_curves(report.outcomes),
            gradients=[
                (step, study_plots.gradient_curves(report.outcomes, step)) for step in (0, max(PROBE_STEPS))
            ],
            number={name: number for number, name in enumerate(variants, start=1)},
            plots=plots,
        )
    )


def markdown(report: StudyReport) -> str:
    """The question, the conclusion and the tables, to be put into a page of one's own."""
    parts = [f"# {report.study.title}", report.study.question, report.study.protocol]
    parts += [f"On {report.dataset}; {report.machine['processor']}, {report.machine['precision']}."]
    parts += [f"**{report.findings[0]}**", *report.findings[1:], sheet.markdown(runs_sheet(report.outcomes))]
    if report.study.published is not None:
        parts += [report.study.published.caption + ":"]
        parts += [sheet.markdown(published_sheet(report.study.published))]
    return "\n\n".join([*parts, f"After {report.study.source}.", f"`{report.command}`"]) + "\n"
