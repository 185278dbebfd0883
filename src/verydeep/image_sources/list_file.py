"""Reads a list of images with their labels: CSV, TSV or a Parquet table, one row per image."""

import csv
import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verydeep.errors import DataError
from verydeep.image_sources.labels import one_hot_columns, one_hot_labels, whole_numbers
from verydeep.image_sources.listed_files import find_listed
from verydeep.image_sources.listing import (
    FILE_COLUMNS,
    LABEL_COLUMNS,
    PART_COLUMNS,
    Columns,
    Listing,
    find_column,
    parse_part,
)
from verydeep.image_sources.parquet import import_pyarrow
from verydeep.image_sources.reading import Reading
from verydeep.image_sources.table_text import text_rows
from verydeep.name_list import first_names
from verydeep.rows import Rows, computed

LIST_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})
"""The suffixes of list files."""
SHARED = 10_000
"""The different values of a column, such as labels, that are kept once, however many rows have them."""
SHOWN = 8
"""Columns that a message names."""


@dataclass(frozen=True)
class _Table:
    path: Path
    cells: Mapping[str, list[str]]
    """By column."""
    positions: Rows[str]
    """Of each row, such as ``line 7``."""


def read_list(path: Path, columns: Columns) -> Listing:
    """The images in the list at ``path``; file paths are relative to the folder of the list.

    The first row has the column names. The columns of files, labels and parts are found by their usual names;
    without a label column, columns of 0 and 1 with a single 1 in each row are the classes (one-hot). All
    other columns are kept. A list without labels can be classified, but not trained on.

    Raises:
        DataError: if the list cannot be read, or a row has no file; states the line.
    """
    table = _read_table(path)
    names = list(table.cells)
    file = find_column(names, FILE_COLUMNS, columns.file, str(path))
    label = find_column(names, LABEL_COLUMNS, columns.label, str(path))
    part = find_column(names, PART_COLUMNS, None, str(path))
    if file is None:
        raise DataError(
            f"{path} has the columns {', '.join(names)}, but no known file column. Call it one of "
            f"{', '.join(FILE_COLUMNS)} in the first row, or give the names of the file and label columns: "
            f"{path}:FILE,LABEL"
        )
    if not table.positions:
        raise DataError(f"{path} has no rows; expected one row per image")
    files = table.cells[file]
    for position, name in zip(table.positions, files, strict=True):
        if not name:
            raise DataError(f"{path}, {position} has no {file}; fill it in, or remove the row")
    sources, notes = find_listed(path, files)
    others = {name: values for name, values in table.cells.items() if name not in (file, label, part)}
    one_hot = [] if label else one_hot_columns(others)
    labels: Sequence[str | None] = list(table.cells[label]) if label else one_hot_labels(others, one_hot)
    if one_hot and any(labels):
        notes = (*notes, f"the labels are the columns with a 1: {first_names(one_hot, SHOWN)}")
    return Listing(
        name=path.stem,
        sources=sources,
        names=tuple(files),
        labels=tuple(labels) or (None,) * len(files),
        parts=tuple(
            parse_part(table.cells[part][i], f"{path}, {position}") if part else None
            for i, position in enumerate(table.positions)
        ),
        positions=table.positions,
        location=str(path),
        columns={name: tuple(values) for name, values in others.items() if name not in one_hot},
        label_advice="" if label else _advice(path, list(others), one_hot),
        reading=Reading(notes=notes),
    )


def _advice(path: Path, others: list[str], one_hot: list[str]) -> str:
    """What to do about a list without a label column."""
    if one_hot:
        return (
            f"The columns {first_names(one_hot, SHOWN)} do not have a single 1 in that row (one-hot): an "
            "image has one class here, and several labels per image cannot be learned"
        )
    if not others:
        return "It has no other column: add one with the name label"
    return f"It has the columns {first_names(others, SHOWN)}; choose one as in {path}:{others[0]}"


def _read_table(path: Path) -> _Table:
    is_parquet = path.suffix.lower() == ".parquet"
    rows = _rows(path, _parquet_rows if is_parquet else text_rows)
    _, header = next(rows)
    columns: list[list[str]] = [[] for _ in header]
    known: list[dict[str, str]] = [{} for _ in header]
    numbers = array("Q")
    for number, cells in rows:
        numbers.append(number)
        for column, same, cell in zip(columns, known, cells, strict=True):
            column.append(same.setdefault(cell, cell) if len(same) < SHARED else same.get(cell, cell))
    word = "row" if is_parquet else "line"
    return _Table(
        path,
        {name: whole_numbers(column) for name, column in zip(header, columns, strict=True)},
        computed(lambda index: f"{word} {numbers[index]}", len(numbers)),
    )


_NumberedRows = Iterator[tuple[int, list[str]]]


def _rows(path: Path, read: Callable[[Path], _NumberedRows]) -> _NumberedRows:
    """The column names, then every row, with the number of its line or row."""
    try:
        yield from read(path)
    except FileNotFoundError:
        raise DataError(f"the list {path} does not exist") from None
    except (OSError, csv.Error, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read as a list: {error}") from None


def _parquet_rows(path: Path) -> _NumberedRows:
    _, pyarrow_parquet = import_pyarrow("save the list as CSV")
    table = pyarrow_parquet.read_table(path)
    yield 0, list(table.column_names)
    columns = (map(_cell, column.to_pylist()) for column in table.columns)
    for number, cells in enumerate(zip(*columns, strict=True), 1):
        yield number, list(cells)


def _cell(value: object) -> str:
    """As CSV has it; a missing value is empty."""
    is_empty = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if is_empty else str(value).strip()
