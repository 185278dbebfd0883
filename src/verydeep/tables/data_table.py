"""A table as values, and its output formats: for the terminal, Markdown and CSV."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import wrap

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from verydeep.foreign_text import markdown_text, one_line
from verydeep.number_format import NONE, TIMES, rounded

WORD = 8
"""Characters of a longer word that stay in one line."""
_GAP = 2
"""Spaces between columns."""


@dataclass(frozen=True)
class Footnote:
    """A letter that refers to a text below the table; CSV has the text itself."""

    mark: str
    text: str


Cell = str | int | float | tuple[int, ...] | Footnote | None
"""A word, a count, a measurement, a shape; None and 0 are shown as a dash."""


@dataclass(frozen=True)
class Column:
    """A column: its name in ``--columns`` and CSV, its title, and the definition of its numbers."""

    name: str
    title: str
    definition: str = ""
    is_text: bool = False
    """Aligned left, and wrapped where it does not fit."""
    is_rounded: bool = False
    """Whether the table for the terminal shows its counts with three digits."""

    @property
    def header(self) -> str:
        """The title for the terminal; that of a column of numbers is wrapped to its longest word."""
        if self.is_text or not self.title:
            return self.title
        return "\n".join(wrap(self.title, max(map(len, self.title.split()))))


@dataclass(frozen=True, kw_only=True)
class DataTable:
    """Rows of cells under columns, with a title above and the definitions of the numbers below."""

    title: Text
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None
    note: str = ""
    """Text below the table, after the definitions of the columns."""
    dimmed: frozenset[int] = frozenset()
    """Indices of the rows that are shown dim."""

    @property
    def definitions(self) -> str:
        """The text below the table: each column's definition, then the note."""
        return " ".join(filter(None, [*(column.definition for column in self.columns), self.note]))


def terminal_table(table: DataTable) -> Table:
    """``table`` for a terminal; ``terminal.table_flags.print_table`` prints it in one that is too narrow."""
    shown = bare_table(table.title, table.definitions, footer=table.total is not None)
    totals = [_cell(total) for total in table.total or ("",) * len(table.columns)]
    rows = [_cells(table.columns, row) for row in table.rows]
    for column, total, *cells in zip(table.columns, totals, *rows, strict=True):
        shown.add_column(
            Text(column.header),
            total,
            justify="left" if column.is_text else "right",
            overflow="fold",
            no_wrap=not column.is_text,
            min_width=_least_width(column, (total, *cells)),
        )
    for index, row in enumerate(rows):
        shown.add_row(*row, style="dim" if index in table.dimmed else None)
    return shown


def least_width(shown: Table) -> int:
    """Of a ``terminal_table``, in characters: what its numbers need, and parts of words."""
    return sum(column.min_width or 0 for column in shown.columns) + _GAP * (len(shown.columns) - 1)


def _least_width(column: Column, cells: Iterable[Text]) -> int:
    """In characters: a number that is cut is another number, and a word may be folded to ``WORD``."""
    texts = [column.header, *(cell.plain for cell in cells)]
    if column.is_text:
        return min(WORD, max(cell_len(word) for text in texts for word in (text.split() or [""])))
    return max(cell_len(line) for text in texts for line in (text.splitlines() or [""]))


def bare_table(title: Text, definitions: str, footer: bool = True) -> Table:
    """A table without columns, in the common layout of all tables."""
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


def markdown(table: DataTable) -> str:
    """``table`` in Markdown, with its definitions below."""
    rows = [*table.rows, *([table.total] if table.total else [])]
    lines = [
        _markdown_row([markdown_text(column.title) for column in table.columns]),
        _markdown_row(["---" if column.is_text else "---:" for column in table.columns], pad=""),
        *(_markdown_row([markdown_text(cell_text(cell)) for cell in row]) for row in rows),
    ]
    return "\n".join([*lines, "", table.definitions] if table.definitions else lines)


def csv_text(table: DataTable) -> str:
    """``table`` as CSV: column names, then rows with plain numbers; without total and definitions."""
    from verydeep.csv_text import csv_line  # 5 ms that a table in the terminal does not need

    header = csv_line(column.name for column in table.columns)
    return (header + "".join(csv_line(_plain(row)) for row in table.rows)).rstrip("\n")


def _cells(columns: tuple[Column, ...], row: tuple[Cell, ...]) -> list[Text]:
    return [
        _cell(rounded(cell) if column.is_rounded and isinstance(cell, int) else cell)
        for column, cell in zip(columns, row, strict=True)
    ]


def _cell(cell: Cell) -> Text:
    text = one_line(cell_text(cell))
    return Text(text, "dim") if text == NONE else Text(text)


def cell_text(cell: Cell) -> str:
    """``cell`` as every table for people shows it: ``1,792``, ``64 x 224 x 224``, a dash for nothing."""
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
    return f"|{pad}{bar.join(cells)}{pad}|"
