"""A prediction as a line of CSV or JSON, and back."""

import csv
import io
import json
from typing import Any

from verydeep.csv_text import KEEP_BYTES, Cell, csv_line, from_csv_cell
from verydeep.prediction.predict import Prediction


def column_names(top: int, rejects: bool = False) -> list[str]:
    """The columns of a table with the ``top`` classes of each image.

    Where unsure predictions are rejected, ``label`` is then the answer, and ``rejected`` the class instead.
    """
    numbered = [f"{name}_{rank}" for rank in range(2, top + 1) for name in ("label", "confidence")]
    return ["file", "label", "confidence", *numbered, *(["rejected"] if rejects else []), "error"]


def to_cells(prediction: Prediction, top: int, rejects: bool = False) -> list[Cell]:
    """The row of ``prediction`` in such a table."""
    values: list[Cell] = [value for pair in prediction.top_classes[:top] for value in pair]
    values += [None] * (2 * top - len(values))
    if rejects:
        values = [prediction.label, *values[1:], prediction.rejected]
    return [prediction.file, *values, prediction.error]


def from_cells(row: list[Any], rejects: bool = False) -> Prediction:
    """The prediction of a row of such a table; its empty cells are None.

    Raises:
        ValueError: if a confidence is no number.
    """
    file, *values, error = row
    rejected = values.pop() if rejects else None
    if rejected is not None:
        values[0] = rejected
    pairs = zip(values[::2], values[1::2], strict=True)
    top_classes = tuple((label, float(confidence)) for label, confidence in pairs if label is not None)
    return Prediction(file, top_classes, error, is_rejected=rejected is not None)


class CsvRows:
    """CSV rows that any spreadsheet reads; probabilities have six digits."""

    def __init__(self, top: int, rejects: bool = False) -> None:
        self.top, self.rejects = top, rejects
        self.header = csv_line(column_names(top, rejects)).encode(errors=KEEP_BYTES)

    def encode(self, prediction: Prediction) -> bytes:
        """``prediction`` as a line."""
        row = to_cells(prediction, self.top, self.rejects)
        line = csv_line(f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row)
        return line.encode(errors=KEEP_BYTES)

    def decode(self, line: bytes) -> Prediction:
        """The inverse of ``encode``.

        Raises:
            ValueError: if the line is not a prediction.
        """
        try:
            (row,) = csv.reader(io.StringIO(line.decode(errors=KEEP_BYTES), newline=""), strict=True)
        except csv.Error as error:
            raise ValueError(str(error)) from None
        if len(row) != len(column_names(self.top, self.rejects)):
            raise ValueError(f"{len(row)} cells")
        return from_cells([from_csv_cell(cell) or None for cell in row], self.rejects)

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
            file, reason, probabilities = values["file"], values.get("error"), values.get("probabilities", {})
            top_classes = tuple((name, float(share)) for name, share in probabilities.items())
        except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(f"expected an object with file, and probabilities or error ({error})") from None
        if not isinstance(file, str) or not isinstance(reason, str | None):
            raise ValueError("its file or its error is not text")
        return Prediction(file, top_classes, reason, is_rejected="rejected" in values)

    def is_complete(self, line: bytes) -> bool:
        """Whether the line is complete."""
        return line.endswith(b"\n")
