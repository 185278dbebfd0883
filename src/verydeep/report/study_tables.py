"""The tables of studies for the terminal."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from verydeep.report.study import Row
from verydeep.study.trial import Study


def study_table(rows: Sequence[Row]) -> Table:
    """What the runs of a study came to, a row a variant."""
    table = _table()
    if any(row.group for row in rows):
        table.add_column("group", no_wrap=True)
    table.add_column("variant", no_wrap=True)
    for name in ("parameters", "runs", "test accuracy", "95 % interval", "training loss"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        group = (row.group,) if any(other.group for other in rows) else ()
        table.add_row(*group, row.variant, row.parameters, row.runs, row.accuracy, row.interval, row.loss)
    return table


def studies_table(studies: Sequence[Study]) -> Table:
    """Each study with how many runs it takes and what it asks."""
    table = _table()
    table.add_column("study", no_wrap=True)
    table.add_column("runs", justify="right", no_wrap=True)
    table.add_column("what it asks")
    for study in studies:
        table.add_row(study.name, str(len(study.trials(False))), study.question)
    return table


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
