"""``--json``, ``--csv`` and ``--markdown``: the forms in which a table can be had, one at a time."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter
from cyclopts.validators import mutually_exclusive

from verydeep.cli.console import out
from verydeep.report.sheet import Sheet, csv_text, markdown, terminal

_FLAG = Parameter(group=Group("Form", validator=mutually_exclusive), negative="", show_default=False)


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a table is printed as; for a terminal by default."""

    json: Annotated[bool, _FLAG] = False
    """Print one JSON value."""
    csv: Annotated[bool, _FLAG] = False
    """Print the first table as CSV, with plain numbers."""
    markdown: Annotated[bool, _FLAG] = False
    """Print Markdown tables."""


AsForm = Annotated[Form | None, Parameter(name="*")]


def print_sheets(form: Form, *sheets: Sheet) -> None:
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
