"""Predictions on disk as CSV, JSON lines or Parquet: written batch by batch, resumed after an interruption.

csv      ``file``, ``label``, ``confidence``, then ``label_2``, ``confidence_2`` and so on, last ``error``;
         before it ``rejected``, where unsure predictions are rejected
jsonl    one object per line, as ``verydeep predict --json`` prints them
parquet  the columns of csv. A table is complete only at its end: until then its rows are lines of
         ``NAME.parquet.part.jsonl``
"""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from verydeep.atomic_write import naming
from verydeep.claim import claim_file
from verydeep.errors import DataError
from verydeep.image_sources.parquet import import_pyarrow
from verydeep.prediction.predict import Prediction
from verydeep.prediction.prediction_rows import CsvRows, JsonRows
from verydeep.prediction.prediction_table import ALTERNATIVE, lines_to_table, table_to_lines

SAMPLES = 8
"""Predictions of an existing file that are kept in memory, to recognize another network."""
LONGEST_UNFINISHED = 100_000
"""Bytes of a row whose quotes are open at the end of a line, where the name of the file has a line break."""


@dataclass
class ExistingPredictions:
    """The content of a file of predictions when it is opened."""

    files: set[str] = field(default_factory=set)
    broken: list[Prediction] = field(default_factory=list)
    samples: dict[str, Prediction] = field(default_factory=dict)
    """The first few predictions, by file."""
    least_accepted: Prediction | None = None
    """The accepted prediction with the lowest confidence."""
    most_rejected: Prediction | None = None
    """The rejected prediction with the highest confidence."""

    def add(self, prediction: Prediction) -> None:
        """Add a row of the file."""
        self.files.add(prediction.file)
        if prediction.error is not None:
            self.broken.append(prediction)
            return
        if len(self.samples) < SAMPLES:
            self.samples[prediction.file] = prediction
        if prediction.is_rejected:
            most = self.most_rejected or prediction
            self.most_rejected = max(most, prediction, key=lambda each: each.confidence)
        else:
            least = self.least_accepted or prediction
            self.least_accepted = min(least, prediction, key=lambda each: each.confidence)


@dataclass(frozen=True)
class PredictionFile:
    """An open file of predictions."""

    path: Path
    top: int
    """Classes per image."""
    existing: ExistingPredictions
    rows: CsvRows | JsonRows
    stream: BinaryIO

    def write(self, predictions: Iterable[Prediction]) -> None:
        """Append them immediately."""
        with naming(self.path):
            self.stream.write(b"".join(map(self.rows.encode, predictions)))
            self.stream.flush()


def check_prediction_path(path: Path, *, resume: bool = False) -> None:
    """Reject a path that no predictions can be written to, before anything is computed.

    Raises:
        DataError: if the suffix is unknown, Parquet's library is not installed, or the file exists.
    """
    if path.suffix not in (".csv", ".jsonl", ".parquet"):
        raise DataError(f"{path} is not a .csv, .jsonl or .parquet file; predictions need one of these")
    if path.suffix == ".parquet":
        import_pyarrow(ALTERNATIVE)
    existing = next((file for file in (path, _lines_of(path)) if file.exists()), None)
    if existing and not resume:
        raise DataError(f"{existing} exists: continue it with --resume, delete it, or name another file")


@contextmanager
def open_predictions(
    path: Path, top: int, *, resume: bool = False, rejects: bool = False
) -> Iterator[PredictionFile]:
    """The file at ``path`` for predictions with ``top`` classes; an interruption loses at most one batch.

    The file is claimed for this process: no other one writes to it meanwhile. In an existing file, an
    incomplete last line is removed. ``rejects`` is whether unsure predictions are rejected, which adds a
    column.

    Raises:
        DataError: as ``check_prediction_path``, and if the existing file does not have such predictions.
        InUseError: if another process writes to it.
    """
    with claim_file(path), naming(path):
        check_prediction_path(path, resume=resume)
        lines = _lines_of(path)
        if path.suffix == ".parquet" and path.exists() and not lines.exists():
            table_to_lines(path, lines, top, rejects)
        rows = CsvRows(top, rejects) if lines.suffix == ".csv" else JsonRows()
        existing = _read_existing(lines, rows) if lines.exists() else ExistingPredictions()
        with lines.open("ab") as stream:
            if not stream.tell():
                stream.write(rows.header)
            yield PredictionFile(path, top, existing, rows, stream)
        if path.suffix == ".parquet":
            lines_to_table(lines, path, top, rejects)
            lines.unlink()


def _lines_of(path: Path) -> Path:
    """The file that grows line by line: ``path`` itself, or a file beside it for Parquet."""
    return path.with_name(f"{path.name}.part.jsonl") if path.suffix == ".parquet" else path


def _read_existing(path: Path, rows: CsvRows | JsonRows) -> ExistingPredictions:
    """The content of the file; everything after its last complete line is removed from it."""
    existing, end = ExistingPredictions(), 0
    with path.open("rb") as file:
        for number, line in enumerate(_complete_lines(file, rows, path), 1):
            end += len(line)
            if number > 1 or not rows.header:
                _add_line(existing, path, number, line, rows)
            elif line != rows.header:
                raise _other_header(path, line, rows.header)
    with path.open("rb+") as file:
        file.truncate(end)
    return existing


def _other_header(path: Path, line: bytes, header: bytes) -> DataError:
    if line.removeprefix(BOM_UTF8).rstrip() == header.rstrip():
        return DataError(
            f"another program has saved {path}: it begins with a byte order mark, or its lines end with "
            "CR LF; rows are only added to a file as `verydeep predict` wrote it. Name another file"
        )
    return DataError(
        f"{path} begins with {line.decode(errors='replace').strip()!r}; expected "
        f"{header.decode().strip()!r}. Use the --top and --reject-below of the first run"
    )


def _add_line(
    existing: ExistingPredictions, path: Path, number: int, line: bytes, rows: CsvRows | JsonRows
) -> None:
    try:
        prediction = rows.decode(line)
    except ValueError as error:
        raise DataError(f"{path}, line {number} is not a prediction: {error}. Name another file") from None
    if prediction.error is None and not prediction.top_classes:
        raise DataError(f"{path}, line {number} has neither classes nor an error. Name another file")
    existing.add(prediction)


def _complete_lines(file: BinaryIO, rows: CsvRows | JsonRows, path: Path) -> Iterator[bytes]:
    """The lines that are written to their end; only the last one may not be.

    Raises:
        DataError: where a line does not end, as after a quote too many: all lines after it would be lost.
    """
    line = b""
    for piece in file:
        line += piece
        if rows.is_complete(line):
            yield line
            line = b""
        elif len(line) > LONGEST_UNFINISHED and piece.endswith(b"\n"):
            start = line[:60].decode(errors="replace")
            raise DataError(f"{path} has a row without an end: it begins with {start!r}. Name another file")
