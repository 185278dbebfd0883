"""A list of images with their labels: CSV, TSV, or a Parquet table, a row an image."""

import csv
from collections.abc import Iterator
from pathlib import Path

from verydeep.data.listing import (
    FILE_WORDS,
    LABEL_WORDS,
    PART_WORDS,
    Columns,
    Listing,
    as_text,
    find_column,
    part_of,
)
from verydeep.data.parquet import parquet
from verydeep.errors import DataError

SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})
"""What a list's file ends in."""

Row = tuple[str, list[str]]
"""Where it stands, such as "line 7", and its cells."""


def read_table(path: Path, asked: Columns) -> Listing:
    """The images that the list at ``path`` names; files are relative to its own folder.

    A first row names the columns. Those of files, labels and parts are known by the usual words; all others
    are kept. A list without a column of labels is one to predict.

    Raises:
        DataError: where the list is none, or a row lacks its file or label: names the line.
    """
    header, *rows = list(_rows(path))
    columns = header[1]
    file = find_column(columns, FILE_WORDS, asked.file, str(path))
    label = find_column(columns, LABEL_WORDS, asked.label, str(path))
    part = find_column(columns, PART_WORDS, None, str(path))
    if file is None:
        raise DataError(
            f"{path} has the columns {', '.join(columns)}, and none is known to hold files. Call it one of "
            f"{', '.join(FILE_WORDS)} in the first row, or name it and that of the labels: {path}:FILE,LABEL"
        )
    if not rows:
        raise DataError(f"{path} has no rows; expected an image a row")
    cells = {column: [row[i] for _, row in rows] for i, column in enumerate(columns)}
    places = [place for place, _ in rows]
    _check_filled(path, places, {name: cells[name] for name in (file, label) if name})
    sources = tuple(path.parent / Path(name).expanduser() for name in cells[file])
    _check_there(path, sources)
    return Listing(
        name=path.stem,
        sources=sources,
        names=tuple(cells[file]),
        labels=tuple(cells[label]) if label else (None,) * len(rows),
        parts=tuple(
            part_of(cells[part][i], f"{path}, {places[i]}") if part else None for i in range(len(rows))
        ),
        places=tuple(places),
        columns={name: tuple(values) for name, values in cells.items() if name not in (file, label, part)},
    )


def _check_filled(path: Path, places: list[str], needed: dict[str, list[str]]) -> None:
    for column, values in needed.items():
        for place, value in zip(places, values, strict=True):
            if not value:
                raise DataError(f"{path}, {place} has no {column}; fill it in, or take the row out")


def _check_there(path: Path, sources: tuple[Path, ...]) -> None:
    """Refuse a list whose files are all elsewhere; single ones that are missing are told when read."""
    first = sources[:10]
    if not any(file.is_file() for file in first):
        raise DataError(
            f"{path}: none of its first {len(first)} files is there, such as {first[0]}. Files are relative "
            "to the folder of the list, or absolute"
        )


def _rows(path: Path) -> Iterator[Row]:
    """The names of the columns, then every row."""
    try:
        yield from _parquet_rows(path) if path.suffix.lower() == ".parquet" else _text_rows(path)
    except FileNotFoundError:
        raise DataError(f"there is no list at {path}") from None
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read as a list: {error}") from None


def _text_rows(path: Path) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8-sig") as file:  # Excel begins with a mark
        first = file.readline()
        file.seek(0)
        delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        columns = [cell.strip() for cell in next(reader, [])]
        if not any(columns) or len(set(columns)) < len(columns):
            raise DataError(
                f"{path} begins with {first.strip()!r}; expected the columns' names, all different"
            )
        yield "line 1", columns
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(columns):
                raise DataError(
                    f"{path}, line {reader.line_num} has {len(cells)} cells, the first row {len(columns)}"
                )
            yield f"line {reader.line_num}", [cell.strip() for cell in cells]


def _parquet_rows(path: Path) -> Iterator[Row]:
    _, arrow_parquet = parquet("save the list as CSV")
    table = arrow_parquet.read_table(path)
    yield "the columns", list(table.column_names)
    columns = (map(as_text, column.to_pylist()) for column in table.columns)
    for number, cells in enumerate(zip(*columns, strict=True), 1):
        yield f"row {number}", list(cells)
