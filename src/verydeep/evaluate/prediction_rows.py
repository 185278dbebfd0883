"""A prediction as a line of CSV or JSON, and back."""

import csv
import io
import json

from verydeep.evaluate.predict import Prediction

ENCODING = {"encoding": "utf-8", "errors": "surrogateescape"}
"""Names of files need not be text, and come back as they were."""


def columns(top: int) -> list[str]:
    """Of a table that names ``top`` classes an image."""
    numbered = [f"{name}_{place}" for place in range(2, top + 1) for name in ("label", "confidence")]
    return ["file", "label", "confidence", *numbered, "error"]


def cells(prediction: Prediction, top: int) -> list[str | float | None]:
    """The row of ``prediction`` in such a table."""
    values = [value for pair in prediction.top_classes[:top] for value in pair]
    return [prediction.file, *values, *[None] * (2 * top - len(values)), prediction.error]


class CsvRows:
    """Rows that any spreadsheet reads, with six digits of each probability."""

    def __init__(self, top: int) -> None:
        self.top = top
        self.header = _csv_line(columns(top))

    def encode(self, prediction: Prediction) -> bytes:
        """The line of ``prediction``."""
        row = cells(prediction, self.top)
        return _csv_line([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row])

    def decode(self, line: bytes) -> Prediction:
        """What ``encode`` was given.

        Raises:
            ValueError: where the line is none.
        """
        (row,) = csv.reader(io.StringIO(line.decode(**ENCODING), newline=""), strict=True)
        file, *values, error = row
        if len(values) != 2 * self.top:
            raise ValueError(f"{len(row)} cells")
        named = zip(values[::2], values[1::2], strict=True)
        return Prediction(file, tuple((name, float(p)) for name, p in named if p), error or None)

    def is_whole(self, line: bytes) -> bool:
        """Whether the line ends: a line break between quotes is no end."""
        return line.endswith(b"\n") and line.count(b'"') % 2 == 0


class JsonRows:
    """Objects as ``verydeep predict --json`` prints them."""

    header = b""

    def encode(self, prediction: Prediction) -> bytes:
        """The line of ``prediction``."""
        return json.dumps(prediction.values).encode() + b"\n"

    def decode(self, line: bytes) -> Prediction:
        """What ``encode`` was given.

        Raises:
            ValueError: where the line is none.
        """
        try:
            values = json.loads(line)
            return Prediction(
                values["file"], tuple(values.get("probabilities", {}).items()), values.get("error")
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no prediction: {error}") from None

    def is_whole(self, line: bytes) -> bool:
        """Whether the line ends."""
        return line.endswith(b"\n")


def _csv_line(row: list[str] | list[str | None]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue().encode(**ENCODING)
