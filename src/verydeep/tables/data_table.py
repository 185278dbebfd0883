"""A table as values, and what it looks like in a terminal, in Markdown and as CSV."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO

from rich import box
from rich.table import Table
from rich.text import Text

from verydeep.tables.format import NONE, TIMES, rounded


@dataclass(frozen=True)
class Footnote:
    """A letter that stands for a text: the text itself in CSV."""

    mark: str
    text: str


Cell = str | int | float | tuple[int, ...] | Footnote | None
"""A word, a count, a measure, a shape; None and 0 are shown as a dash."""


@dataclass(frozen=True)
class Column:
    """A column: its name in ``--columns`` and CSV, its title for people, and what its numbers mean."""

    name: str
    title: str
    definition: str = ""
    is_text: bool = False
    """Set left, and broken where it does not fit."""
    is_rounded: bool = False
    """Whether a terminal, which is narrow, shows its counts to three digits."""


@dataclass(frozen=True, kw_only=True)
class DataTable:
    """Rows of cells under columns, with a title above and what the numbers mean below."""

    title: Text
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None
    note: str = ""
    """Said after the definitions of the columns."""
    quiet: frozenset[int] = frozenset()
    """Rows that are shown dim."""

    @property
    def definitions(self) -> str:
        """What stands below: each column's definition, then the note."""
        return " ".join(filter(None, [*(column.definition for column in self.columns), self.note]))


def terminal(sheet: DataTable) -> Table:
    """``sheet`` for a terminal."""
    table = bare_table(sheet.title, sheet.definitions, footer=sheet.total is not None)
    totals = sheet.total or ("",) * len(sheet.columns)
    for column, total in zip(sheet.columns, totals, strict=True):
        table.add_column(
            Text(column.title),
            _shown(total) if total != "" else Text(),
            justify="left" if column.is_text else "right",
            overflow="fold",
            no_wrap=not column.is_text,
        )
    for number, row in enumerate(sheet.rows):
        cells = (
            rounded(cell) if column.is_rounded and isinstance(cell, int) else cell
            for column, cell in zip(sheet.columns, row, strict=True)
        )
        table.add_row(*map(_shown, cells), style="dim" if number in sheet.quiet else None)
    return table


def bare_table(title: Text, definitions: str, footer: bool = True) -> Table:
    """A table without columns yet, in the one layout of all tables here."""
    return Table(
        title=title,
        title_justify="left",
        caption=Text(f"\n{definitions}", "dim") if definitions else None,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_footer=footer,
        header_style="bold",
        footer_style="bold",
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )


def markdown(sheet: DataTable) -> str:
    """``sheet`` as a Markdown table, its definitions below."""
    rows = [*sheet.rows, *([sheet.total] if sheet.total else [])]
    lines = [
        _markdown_row([column.title for column in sheet.columns]),
        _markdown_row(["---" if column.is_text else "---:" for column in sheet.columns], pad=""),
        *(_markdown_row([_said(cell) for cell in row]) for row in rows),
    ]
    return "\n".join([*lines, "", sheet.definitions] if sheet.definitions else lines)


def csv_text(sheet: DataTable) -> str:
    """``sheet`` as CSV: the columns' names, then the rows with plain numbers; no total, no definitions."""
    import csv  # 5 ms that a table in the terminal should not pay

    written = StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(column.name for column in sheet.columns)
    writer.writerows(list(_plain(row)) for row in sheet.rows)
    return written.getvalue().rstrip("\n")


def _shown(cell: Cell) -> Text:
    said = _said(cell)
    return Text(said, "dim") if said == NONE else Text(said)


def _said(cell: Cell) -> str:
    match cell:
        case None | 0:
            return NONE
        case tuple():
            return f" {TIMES} ".join(map(str, cell)) if cell[1:] != (1, 1) else f"{cell[0]:,}"
        case int():
            return f"{cell:,}"
        case Footnote():
            return cell.mark
        case float():
            return f"{cell:,.2f}"
    return cell


def _plain(row: tuple[Cell, ...]) -> Iterator[str | int | float]:
    for cell in row:
        match cell:
            case None:
                yield ""
            case tuple():
                yield "x".join(map(str, cell))
            case Footnote():
                yield cell.text
            case _:
                yield cell


def _markdown_row(cells: list[str], pad: str = " ") -> str:
    bar = f"{pad}|{pad}"
    return f"|{pad}{bar.join(cell.replace('|', chr(92) + '|') for cell in cells)}{pad}|"
