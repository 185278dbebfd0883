"""Reads a list of images with their labels: CSV, TSV or a Parquet table, one row per image."""

import csv
from collections.abc import Iterator
from pathlib import Path

from verydeep.csv_text import from_csv_cell
from verydeep.data.listing import (
    FILE_COLUMNS,
    LABEL_COLUMNS,
    PART_COLUMNS,
    Columns,
    Listing,
    cell_text,
    find_column,
    parse_part,
)
from verydeep.data.parquet import import_pyarrow
from verydeep.errors import DataError

LIST_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})
"""The suffixes of list files."""

Row = tuple[str, list[str]]
"""The position of a row, such as "line 7", and its cells."""


def read_list(path: Path, columns: Columns) -> Listing:
    """The images in the list at ``path``; file paths are relative to the folder of the list.

    The first row has the column names. The columns of files, labels and parts are found by their usual names;
    all other columns are kept. A list without a label column can be classified, but not trained on.

    Raises:
        DataError: if the list cannot be read, or a row has no file or no label; states the line.
    """
    header, *rows = list(_rows(path))
    names = header[1]
    file = find_column(names, FILE_COLUMNS, columns.file, str(path))
    label = find_column(names, LABEL_COLUMNS, columns.label, str(path))
    part = find_column(names, PART_COLUMNS, None, str(path))
    if file is None:
        raise DataError(
            f"{path} has the columns {', '.join(names)}, but no known file column. Call it one of "
            f"{', '.join(FILE_COLUMNS)} in the first row, or give the names of the file and label columns: "
            f"{path}:FILE,LABEL"
        )
    if not rows:
        raise DataError(f"{path} has no rows; expected one row per image")
    cells = {column: [row[i] for _, row in rows] for i, column in enumerate(names)}
    positions = [position for position, _ in rows]
    _check_filled(path, positions, {name: cells[name] for name in (file, label) if name})
    sources = tuple(path.parent / Path(name).expanduser() for name in cells[file])
    _check_exists(path, sources)
    return Listing(
        name=path.stem,
        sources=sources,
        names=tuple(cells[file]),
        labels=tuple(cells[label]) if label else (None,) * len(rows),
        parts=tuple(
            parse_part(cells[part][i], f"{path}, {positions[i]}") if part else None for i in range(len(rows))
        ),
        positions=tuple(positions),
        columns={name: tuple(values) for name, values in cells.items() if name not in (file, label, part)},
    )


def _check_filled(path: Path, positions: list[str], required: dict[str, list[str]]) -> None:
    for column, values in required.items():
        for position, value in zip(positions, values, strict=True):
            if not value:
                raise DataError(f"{path}, {position} has no {column}; fill it in, or remove the row")


def _check_exists(path: Path, sources: tuple[Path, ...]) -> None:
    """An error if none of the first files exists; single missing files are reported when they are read."""
    first = sources[:10]
    if not any(file.is_file() for file in first):
        raise DataError(
            f"{path}: none of its first {len(first)} files exists, such as {first[0]}. File paths are "
            "relative to the folder of the list, or absolute"
        )


def _rows(path: Path) -> Iterator[Row]:
    """The column names, then every row."""
    try:
        yield from _parquet_rows(path) if path.suffix.lower() == ".parquet" else _text_rows(path)
    except FileNotFoundError:
        raise DataError(f"the list {path} does not exist") from None
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read as a list: {error}") from None


def _text_rows(path: Path) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8-sig") as file:  # Excel writes a byte order mark
        first = file.readline()
        file.seek(0)
        delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        columns = [cell.strip() for cell in next(reader, [])]
        if not any(columns) or len(set(columns)) < len(columns):
            raise DataError(f"{path} starts with {first.strip()!r}; expected unique column names")
        yield "line 1", columns
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(columns):
                raise DataError(
                    f"{path}, line {reader.line_num} has {len(cells)} cells; "
                    f"expected {len(columns)}, as in the first row"
                )
            yield f"line {reader.line_num}", [from_csv_cell(cell.strip()) for cell in cells]


def _parquet_rows(path: Path) -> Iterator[Row]:
    _, pyarrow_parquet = import_pyarrow("save the list as CSV")
    table = pyarrow_parquet.read_table(path)
    yield "the columns", list(table.column_names)
    columns = (map(cell_text, column.to_pylist()) for column in table.columns)
    for number, cells in enumerate(zip(*columns, strict=True), 1):
        yield f"row {number}", list(cells)
