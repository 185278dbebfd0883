"""``--json``, ``--csv`` and ``--markdown``: the forms in which a table can be had, one at a time."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import ArgumentCollection, Group, Parameter

from verydeep.tables.data_table import DataTable, csv_text, markdown, terminal
from verydeep.terminal.console import out


def _at_most_one(flags: ArgumentCollection) -> None:
    """As cyclopts' own ``mutually_exclusive``, whose module takes 10 ms to load."""
    given = [flag.name for flag in flags if flag.tokens]
    if len(given) > 1:
        raise ValueError(f"expected one of {' and '.join(given)}, not both")


_FLAG = Parameter(group=Group("TableFormat", validator=_at_most_one), negative="", show_default=False)


@dataclass(frozen=True, kw_only=True)
class TableFormat:
    """What a table is printed as; for a terminal by default."""

    json: Annotated[bool, _FLAG] = False
    """Print one JSON value."""
    csv: Annotated[bool, _FLAG] = False
    """Print the first table as CSV, with plain numbers."""
    markdown: Annotated[bool, _FLAG] = False
    """Print Markdown tables."""


AsTableFormat = Annotated[TableFormat | None, Parameter(name="*")]


def print_sheets(form: TableFormat, *sheets: DataTable) -> None:
    """``sheets`` below each other; CSV has room for one table, and takes the first."""
    if form.csv:
        out().out(csv_text(sheets[0]))
    elif form.markdown:
        out().out("\n\n".join(map(markdown, sheets)))
    else:
        for number, sheet in enumerate(sheets):
            if number:
                out().print()
            out().print(terminal(sheet))
