"""The rows of a table in a text file: CSV or TSV, in UTF-8, UTF-16 or UTF-32."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from verydeep.csv_text import from_csv_cell
from verydeep.errors import DataError
from verydeep.text_file import read_text


def text_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number of the line where each row ends, and its cells; the first row has the column names.

    Raises:
        DataError: if the encoding is another one, the column names are not unique, or a row has a different
            number of cells; states the line.
    """
    text = read_text(path)
    first = text.split("\n", 1)[0]
    if separator := re.match(r"sep=(.)\r?$", first):  # a line of Excel
        text = "\n" + text[len(first) + 1 :]
        first = text.split("\n", 2)[1]
    delimiter = delimiter_of(path, first)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator[1] if separator else delimiter, strict=True
    )
    rows = (row for row in reader if row)
    columns = [cell.strip() for cell in next(rows, [])]
    if not any(columns) or len(set(columns)) < len(columns):
        raise DataError(f"{path} starts with {first.strip()!r}; expected unique column names")
    yield 1, columns
    for cells in rows:
        if len(cells) != len(columns):
            raise DataError(
                f"{path}, line {reader.line_num} has {len(cells)} cells; "
                f"expected {len(columns)}, as in the first row"
            )
        yield reader.line_num, [from_csv_cell(cell.strip()) for cell in cells]


def delimiter_of(path: Path, first: str) -> str:
    """What separates the cells of the table at ``path``, by its suffix or its ``first`` line."""
    return "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
