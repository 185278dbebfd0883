"""``--json``, ``--csv`` and ``--markdown``: the output formats of a table, at most one of them."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import ArgumentCollection, Group, Parameter

from verydeep.tables.data_table import DataTable, csv_text, least_width, markdown, terminal_table
from verydeep.terminal.console import out


def _at_most_one(flags: ArgumentCollection) -> None:
    """Like cyclopts' own ``mutually_exclusive``, whose module takes 10 ms to import."""
    given = [flag.name for flag in flags if flag.tokens]
    if len(given) > 1:
        raise ValueError(f"expected one of {' and '.join(given)}, not both")


_FLAG = Parameter(group=Group("Output format", validator=_at_most_one), negative="", show_default=False)


@dataclass(frozen=True, kw_only=True)
class TableFormat:
    """The output format of a table; a table for the terminal by default."""

    json: Annotated[bool, _FLAG] = False
    """Print one JSON value."""
    csv: Annotated[bool, _FLAG] = False
    """Print the first table as CSV, with plain numbers."""
    markdown: Annotated[bool, _FLAG] = False
    """Print Markdown tables."""


TableFormatFlags = Annotated[TableFormat | None, Parameter(name="*")]


def print_tables(table_format: TableFormat, *tables: DataTable) -> None:
    """``tables`` one after the other; CSV has only the first."""
    if table_format.csv:
        out().out(csv_text(tables[0]))
    elif table_format.markdown:
        out().out("\n\n".join(map(markdown, tables)))
    else:
        for number, table in enumerate(tables):
            if number:
                out().print()
            print_table(table)


def print_table(table: DataTable) -> None:
    """``table`` in the terminal, which wraps its lines where it is too narrow: no number is cut."""
    stdout, shown = out(), terminal_table(table)
    if (least := least_width(shown)) > stdout.width:
        shown.width = least
    stdout.print(shown, crop=False)
