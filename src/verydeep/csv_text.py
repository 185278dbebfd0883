"""Lines of CSV, and back: what is written is read back as the same text, and no spreadsheet computes it.

A cell of text that a spreadsheet would take for a formula (``=1+1``, ``@name``) begins with an apostrophe,
which says "text" there (OWASP, "CSV Injection"). Numbers and everything else are as they are.
"""

import csv
import io
import re
from collections.abc import Iterable

KEEP_BYTES = "surrogateescape"
"""How names that are not UTF-8 are encoded and decoded: as their bytes."""

Cell = str | float | None

_FORMULA = re.compile("[=+\\-@\t\r]")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?%?")
_QUOTED = re.compile("'+[=+\\-@\t\r]")


def csv_line(cells: Iterable[Cell]) -> str:
    """``cells`` as one line that ends with a line break; line breaks inside of a cell are in quotes."""
    text = io.StringIO(newline="")
    # Python before 3.13 puts a carriage return in quotes only if the end of a line has one.
    csv.writer(text, lineterminator="\r\n").writerow([csv_cell(cell) for cell in cells])
    return text.getvalue().removesuffix("\r\n") + "\n"


def csv_cell(cell: Cell) -> Cell:
    """Text that looks like a formula after an apostrophe; ``from_csv_cell`` is the inverse."""
    if not isinstance(cell, str):
        return cell
    is_formula = _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if is_formula or _QUOTED.match(cell) else cell


def from_csv_cell(text: str) -> str:
    """The text of a cell that ``csv_cell`` wrote."""
    return text[1:] if _QUOTED.match(text) else text
