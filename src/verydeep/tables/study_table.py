"""The tables of a study: the results of its variants, the published numbers, the list of studies."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from rich.text import Text

from verydeep.number_format import NONE, SPACE, TIMES, percent, rounded
from verydeep.study.statistics import Estimate, estimate, gradient_range
from verydeep.study.trial import Outcome, PublishedTable, Study, by_group, by_variant
from verydeep.tables.data_table import Column, DataTable


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """One variant of a study, as text."""

    group: str
    variant: str
    architecture_string: str
    parameters: str
    runs: str
    accuracy: str
    interval: str
    train_accuracy: str
    """On training images, without augmentation: the gap to the test accuracy is what does not generalize."""
    loss: str
    validation: str
    """The accuracy on the validation images, of compressed networks."""
    size: str
    """Of the file of a compressed network."""
    speedup: str
    smallest_gradient: str
    """Of a layer before the first step, of networks whose gradients were measured."""
    largest_gradient: str


def summary(outcomes: Sequence[Outcome]) -> tuple[StudyRow, ...]:
    """One row per variant: its settings and the results of its runs."""
    return tuple(_row(same) for runs in by_group(outcomes).values() for same in by_variant(runs).values())


def _row(runs: Sequence[Outcome]) -> StudyRow:
    first = runs[0]
    top1 = [run.test_top1 for run in runs if run.test_top1 is not None]
    failed = sum(run.failed is not None for run in runs)
    mean = estimate(top1) if top1 else None
    train_top1 = [run.train_top1 for run in runs if run.train_top1 is not None]
    losses = [run.epochs[-1].train_loss for run in runs if run.epochs]
    compressed = [run.compressed for run in runs if run.compressed is not None]
    speedups = [each.speedup for each in compressed if each.speedup is not None]
    smallest, largest = gradient_range(runs) or (None, None)
    return StudyRow(
        group=first.group,
        variant=first.variant,
        architecture_string=first.architecture_string,
        parameters=rounded(first.parameters),
        runs=f"{len(runs)}" + (f", {failed} stopped" if failed else ""),
        accuracy=percent(mean.mean) if mean else NONE,
        interval=_interval(mean) if mean and mean.count > 1 else NONE,
        train_accuracy=percent(fmean(train_top1)) if train_top1 else NONE,
        loss=f"{fmean(losses):.3f}" if losses else NONE,
        validation=percent(fmean(each.val_top1 for each in compressed)) if compressed else NONE,
        size=f"{fmean(each.bytes for each in compressed) / 1000:,.1f}{SPACE}KB" if compressed else NONE,
        speedup=f"{median(speedups):.2f}{TIMES}" if speedups else NONE,
        smallest_gradient=_power(smallest),
        largest_gradient=_power(largest),
    )


def _power(norm: float | None) -> str:
    return NONE if norm is None else f"{norm:.0e}"


def _interval(mean: Estimate) -> str:
    """Clipped to [0, 1], as Student's interval has no bounds."""
    return f"{100 * max(mean.low, 0.0):.2f} to {percent(min(mean.high, 1.0))}"


COLUMNS = (
    Column("group", "group", is_text=True),
    Column("variant", "variant", is_text=True),
    Column("parameters", "parameters"),
    Column("runs", "runs"),
    Column("accuracy", "test accuracy"),
    Column("interval", "95 % interval"),
    Column("train_accuracy", "training accuracy"),
    Column("loss", "training loss"),
    Column("validation", "validation"),
    Column("size", "file"),
    Column("speedup", "times faster"),
    Column("smallest_gradient", "smallest gradient"),
    Column("largest_gradient", "largest gradient"),
)


BESIDE_FILES = ("parameters", "interval", "train_accuracy", "loss")
"""Columns that a table with the files of compressed networks has no room for; the page has them."""
BESIDE_GROUPS = ("parameters", "loss")
"""Likewise in a table with groups."""


def runs_table(outcomes: Sequence[Outcome]) -> DataTable:
    """The results of a study, one row per variant, without empty columns."""
    rows = summary(outcomes)
    groups, files = any(run.group for run in outcomes), any(run.compressed for run in outcomes)
    left_out = BESIDE_FILES if files else BESIDE_GROUPS if groups else ()
    columns = [
        column
        for column in COLUMNS
        if column.name not in left_out and any(getattr(row, column.name) not in ("", NONE) for row in rows)
    ]
    return DataTable(
        title=Text(),
        columns=tuple(columns),
        rows=tuple(tuple(getattr(row, column.name) for column in columns) for row in rows),
    )


def published_table(published: PublishedTable) -> DataTable:
    """The numbers of the paper."""
    return DataTable(
        title=Text(),
        columns=tuple(Column(name, name, is_text=True) for name in published.header),
        rows=published.rows,
    )


def studies_table(studies: Sequence[Study]) -> DataTable:
    """Each study with its number of runs and its question."""
    return DataTable(
        title=Text(),
        columns=(
            Column("study", "study", is_text=True),
            Column("runs", "runs"),
            Column("question", "question", is_text=True),
        ),
        rows=tuple((study.name, len(study.trials(False)), study.question) for study in studies),
    )
