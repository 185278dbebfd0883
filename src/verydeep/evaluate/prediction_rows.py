"""A prediction as a line of CSV or JSON, and back."""

import csv
import io
import json
from typing import Any

from verydeep.csv_text import KEEP_BYTES, Cell, csv_line, from_csv_cell
from verydeep.evaluate.predict import Prediction


def column_names(top: int) -> list[str]:
    """The columns of a table with the ``top`` classes of each image."""
    numbered = [f"{name}_{rank}" for rank in range(2, top + 1) for name in ("label", "confidence")]
    return ["file", "label", "confidence", *numbered, "error"]


def to_cells(prediction: Prediction, top: int) -> list[Cell]:
    """The row of ``prediction`` in such a table."""
    values = [value for pair in prediction.top_classes[:top] for value in pair]
    return [prediction.file, *values, *[None] * (2 * top - len(values)), prediction.error]


def from_cells(row: list[Any]) -> Prediction:
    """The prediction of a row of such a table; its empty cells are None."""
    file, *values, error = row
    pairs = zip(values[::2], values[1::2], strict=True)
    return Prediction(
        file, tuple((label, confidence) for label, confidence in pairs if label is not None), error
    )


class CsvRows:
    """CSV rows that any spreadsheet reads; probabilities have six digits."""

    def __init__(self, top: int) -> None:
        self.top = top
        self.header = csv_line(column_names(top)).encode(errors=KEEP_BYTES)

    def encode(self, prediction: Prediction) -> bytes:
        """``prediction`` as a line."""
        row = to_cells(prediction, self.top)
        line = csv_line(f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row)
        return line.encode(errors=KEEP_BYTES)

    def decode(self, line: bytes) -> Prediction:
        """The inverse of ``encode``.

        Raises:
            ValueError: if the line is not a prediction.
        """
        (row,) = csv.reader(io.StringIO(line.decode(errors=KEEP_BYTES), newline=""), strict=True)
        file, *values, error = map(from_csv_cell, row)
        if len(values) != 2 * self.top:
            raise ValueError(f"{len(row)} cells")
        pairs = zip(values[::2], values[1::2], strict=True)
        top_classes = tuple((label, float(confidence)) for label, confidence in pairs if confidence)
        return Prediction(file, top_classes, error or None)

    def is_complete(self, line: bytes) -> bool:
        """Whether the line is complete; a line break inside quotes does not end it."""
        return line.endswith(b"\n") and line.count(b'"') % 2 == 0


class JsonRows:
    """JSON lines: objects as ``verydeep predict --json`` prints them."""

    header = b""

    def encode(self, prediction: Prediction) -> bytes:
        """``prediction`` as a line."""
        return json.dumps(prediction.values).encode() + b"\n"

    def decode(self, line: bytes) -> Prediction:
        """The inverse of ``encode``.

        Raises:
            ValueError: if the line is not a prediction.
        """
        try:
            values = json.loads(line)
            return Prediction(
                values["file"], tuple(values.get("probabilities", {}).items()), values.get("error")
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a prediction: {error}") from None

    def is_complete(self, line: bytes) -> bool:
        """Whether the line is complete."""
        return line.endswith(b"\n")
