"""What the runs of a study came to, and the tables that show it."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from verydeep.report import study_plots
from verydeep.report.numbers import NONE, percent, rounded
from verydeep.report.sheet import Column, Sheet
from verydeep.study.spread import estimate
from verydeep.study.trial import Outcome, Published, Study


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


COLUMNS = (
    Column("group", "group", is_text=True),
    Column("variant", "variant", is_text=True),
    Column("parameters", "parameters"),
    Column("runs", "runs"),
    Column("accuracy", "test accuracy"),
    Column("interval", "95 % interval"),
    Column("loss", "training loss"),
)


def runs_sheet(outcomes: Sequence[Outcome]) -> Sheet:
    """What the runs of a study came to, a row a variant, without the columns in which nothing stands."""
    rows = summary(outcomes)
    columns = [
        column for column in COLUMNS if any(getattr(row, column.name) not in ("", NONE) for row in rows)
    ]
    return Sheet(
        title=Text(),
        columns=tuple(columns),
        rows=tuple(tuple(getattr(row, column.name) for column in columns) for row in rows),
    )


def published_sheet(published: Published) -> Sheet:
    """The paper's own numbers."""
    return Sheet(
        title=Text(),
        columns=tuple(Column(name, name, is_text=True) for name in published.header),
        rows=published.rows,
    )


def studies_sheet(studies: Sequence[Study]) -> Sheet:
    """Each study with how many runs it takes and what it asks."""
    return Sheet(
        title=Text(),
        columns=(
            Column("study", "study", is_text=True),
            Column("runs", "runs"),
            Column("question", "what it asks", is_text=True),
        ),
        rows=tuple((study.name, len(study.trials(False)), study.question) for study in studies),
    )
