"""Predictions in a Parquet table, converted from JSON lines and back."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from verydeep.atomic_write import atomic_write
from verydeep.csv_text import Cell
from verydeep.errors import DataError
from verydeep.image_sources.parquet import import_pyarrow, valid_utf8
from verydeep.prediction.predict import Prediction
from verydeep.prediction.prediction_rows import JsonRows, column_names, from_cells, to_cells

GROUP_ROWS = 8_192
"""Rows of a row group of Parquet."""

ALTERNATIVE = "use .csv or .jsonl"
"""For the error message when Parquet's library is not installed."""


def lines_to_table(lines: Path, path: Path, top: int, rejects: bool = False) -> None:
    """Write the predictions in the JSON lines file as a table, one row group at a time."""
    with lines.open("rb") as file:
        write_table(map(JsonRows().decode, file), path, top, rejects)


def write_table(predictions: Iterable[Prediction], path: Path, top: int, rejects: bool = False) -> None:
    """Write ``predictions`` as a table, completely or not at all, one row group at a time."""
    arrow, arrow_parquet = import_pyarrow(ALTERNATIVE)
    names = column_names(top, rejects)
    types = {name: arrow.float32() if name.startswith("confidence") else arrow.string() for name in names}
    schema = arrow.schema(list(types.items()))
    remaining = iter(predictions)
    with atomic_write(path) as temporary, arrow_parquet.ParquetWriter(temporary, schema) as writer:
        while chunk := list(islice(remaining, GROUP_ROWS)):
            cells = [to_cells(prediction, top, rejects) for prediction in chunk]
            columns = {name: [_cell(row[i]) for row in cells] for i, name in enumerate(names)}
            writer.write_table(arrow.table(columns, schema))


def _cell(cell: Cell) -> Cell:
    return valid_utf8(cell) if isinstance(cell, str) else cell


def table_to_lines(path: Path, lines: Path, top: int, rejects: bool = False) -> None:
    """Write the predictions in the table at ``path`` as JSON lines, to append to.

    Raises:
        DataError: if it is not a table of predictions with ``top`` classes.
    """
    _, arrow_parquet = import_pyarrow(ALTERNATIVE)
    rows = JsonRows()
    try:
        with arrow_parquet.ParquetFile(path) as table, atomic_write(lines) as temporary:
            if table.schema_arrow.names != column_names(top, rejects):
                raise DataError(f"{path} has the columns {', '.join(table.schema_arrow.names)}")
            with temporary.open("wb") as file:
                for batch in table.iter_batches(GROUP_ROWS):
                    predictions = (from_cells(list(row.values()), rejects) for row in batch.to_pylist())
                    file.write(b"".join(map(rows.encode, predictions)))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} is not a table of predictions with {top} classes: {error}. Use the --top of the first "
            "run, or another file"
        ) from None
