"""The page of a study: one HTML file, our numbers beside the paper's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verydeep.data.files import replacing
from verydeep.report import plots, study_plots
from verydeep.report.numbers import NONE, percent, rounded
from verydeep.report.templates import environment
from verydeep.study.spread import estimate
from verydeep.study.trial import PROBE_STEPS, Outcome, Study


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


@dataclass(frozen=True, kw_only=True)
class Row:
    """One variant in a table, in words."""

    group: str
    variant: str
    line: str
    parameters: str
    runs: str
    accuracy: str
    interval: str
    loss: str


def write_study(report: StudyReport, path: Path) -> None:
    """``report`` as a page at ``path``, where a reader never meets half of one."""
    with replacing(path) as temporary:
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
    rows = summary(report.outcomes)
    header = ("group", "variant", "parameters", "runs", "test accuracy", "95 % interval", "training loss")
    ours = [
        (row.group, row.variant, row.parameters, row.runs, row.accuracy, row.interval, row.loss)
        for row in rows
    ]
    parts = [f"# {report.study.title}", report.study.question, report.study.protocol]
    parts += [f"On {report.dataset}; {report.machine['processor']}, {report.machine['precision']}."]
    parts += [f"**{report.findings[0]}**", *report.findings[1:], _markdown_table(header, ours)]
    if report.study.published is not None:
        parts += [report.study.published.caption + ":"]
        parts += [_markdown_table(report.study.published.header, report.study.published.rows)]
    return "\n\n".join([*parts, f"After {report.study.source}.", f"`{report.command}`"]) + "\n"


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table without the columns in which nothing stands."""
    filled = [place for place in range(len(header)) if any(row[place] not in ("", NONE) for row in rows)]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line[place] for place in filled) + " |" for line in lines)


def summary(outcomes: Sequence[Outcome]) -> tuple[Row, ...]:
    """A row a variant: what it is, and what its runs came to."""
    return tuple(
        _row(same)
        for runs in study_plots.by_group(outcomes).values()
        for same in study_plots.by_variant(runs).values()
    )


def _row(runs: Sequence[Outcome]) -> Row:
    first = runs[0]
    top1 = [run.test_top1 for run in runs if run.test_top1 is not None]
    failed = sum(run.failed is not None for run in runs)
    mean = estimate(top1) if top1 else None
    losses = [run.epochs[-1].train_loss for run in runs if run.epochs]
    return Row(
        group=first.group,
        variant=first.variant,
        line=first.line,
        parameters=rounded(first.parameters),
        runs=f"{len(runs)}" + (f", {failed} stopped" if failed else ""),
        accuracy=percent(mean.mean) if mean else NONE,
        interval=f"{percent(mean.low)} to {percent(mean.high)}" if mean and mean.count > 1 else NONE,
        loss=f"{sum(losses) / len(losses):.3f}" if losses else NONE,
    )
