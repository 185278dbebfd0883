"""Predictions on disk: CSV, JSON lines or Parquet, written a batch at a time and taken up again after a kill.

csv      ``file``, ``label``, ``confidence``, then ``label_2``, ``confidence_2`` and so on, last ``error``
jsonl    an object a line, as ``verydeep predict --json`` prints them
parquet  the columns of csv. A table is whole only at its end: until then its rows are lines in
         ``NAME.parquet.part.jsonl``
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from verydeep.atomic_write import atomic_write
from verydeep.data.parquet import import_pyarrow
from verydeep.data.samples import ImageSource
from verydeep.errors import DataError
from verydeep.evaluate.predict import Prediction, predict
from verydeep.evaluate.prediction_rows import CsvRows, JsonRows, cells, columns
from verydeep.models.checkpoint import Checkpoint

ROWS = 8_192
"""Of a row group of Parquet."""

TOLERANCE = 0.02
"""Between probabilities of one image by one network: machines and precisions differ by less."""

SAMPLES = 8
"""Images that are named again, to see that the same network goes on."""

OTHERWISE = "take .csv or .jsonl"


@dataclass
class TakenUp:
    """What a file of predictions held when it was opened."""

    files: set[str] = field(default_factory=set)
    broken: list[Prediction] = field(default_factory=list)
    samples: dict[str, Prediction] = field(default_factory=dict)
    """The first few that were read, by file; by them another network is told."""


@dataclass(frozen=True)
class PredictionFile:
    """An open file of predictions."""

    path: Path
    top: int
    """Classes named for each image."""
    before: TakenUp
    rows: CsvRows | JsonRows
    stream: BinaryIO

    def write(self, predictions: Iterable[Prediction]) -> None:
        """Append them, at once."""
        self.stream.write(b"".join(map(self.rows.encode, predictions)))
        self.stream.flush()


def check_out(path: Path, *, resume: bool = False) -> None:
    """Refuse what no predictions can be written to, before anything is computed.

    Raises:
        DataError: where the suffix is of no such file, Parquet's library is not there, or the file is.
    """
    if path.suffix not in (".csv", ".jsonl", ".parquet"):
        raise DataError(f"{path} is none of .csv, .jsonl, .parquet; name such a file for the predictions")
    if path.suffix == ".parquet":
        import_pyarrow(OTHERWISE)
    there = next((file for file in (path, _lines_of(path)) if file.exists()), None)
    if there and not resume:
        raise DataError(f"{there} is there already: go on with it by --resume, take it away, or name another")


@contextmanager
def open_predictions(path: Path, top: int, *, resume: bool = False) -> Iterator[PredictionFile]:
    """The file at ``path``, for predictions that name ``top`` classes; after a kill it has all but a batch.

    Where it was begun, a last line that was half written is taken off.

    Raises:
        DataError: as ``check_out``, and where what is there are no such predictions.
    """
    check_out(path, resume=resume)
    lines = _lines_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet" and path.exists() and not lines.exists():
        _write_lines(path, lines, top)
    rows = CsvRows(top) if lines.suffix == ".csv" else JsonRows()
    before = _taken_up(lines, rows) if lines.exists() else TakenUp()
    with lines.open("ab") as stream:
        if not stream.tell():
            stream.write(rows.header)
        yield PredictionFile(path, top, before, rows, stream)
    if path.suffix == ".parquet":
        _write_parquet(lines, path, top)
        lines.unlink()


def left_to_do(
    file: PredictionFile, network: Checkpoint, sources: Sequence[ImageSource]
) -> list[ImageSource]:
    """Those of ``sources`` that ``file`` does not have yet.

    Raises:
        DataError: where another network wrote what it has; a few images are named again to see that.
    """
    again = [source for source in sources if str(source) in file.before.samples]
    for now in (one for batch in predict(network, again) for one in batch if one.error is None):
        _require_same(file.path, file.before.samples[now.file], now)
    return [source for source in sources if str(source) not in file.before.files]


def _require_same(path: Path, before: Prediction, now: Prediction) -> None:
    (name, probability), *_ = before.top_classes
    if abs(dict(now.top_classes).get(name, -1.0) - probability) > TOLERANCE:
        label_now, probability_now = now.top_classes[0]
        raise DataError(
            f"{path} was written by another network, or of other images: {now.file} is {name} with "
            f"{probability:.3f} there, and {label_now} with {probability_now:.3f} now. Name another file"
        )


def label_into(
    file: PredictionFile,
    network: Checkpoint,
    sources: Sequence[ImageSource],
    *,
    batch_size: int | None = None,
) -> Iterator[tuple[Prediction, ...]]:
    """``label`` of ``sources``; each batch is in ``file`` before it is handed out."""
    for batch in predict(network, sources, top=file.top, batch_size=batch_size):
        file.write(batch)
        yield batch


def _lines_of(path: Path) -> Path:
    """The file that grows a line at a time until ``path`` is whole; mostly ``path`` itself."""
    return path.with_name(f"{path.name}.part.jsonl") if path.suffix == ".parquet" else path


def _taken_up(path: Path, rows: CsvRows | JsonRows) -> TakenUp:
    """What the file holds; what comes after its last whole line is cut off it."""
    before, end = TakenUp(), 0
    with path.open("rb") as file:
        for number, line in enumerate(_whole_lines(file, rows), 1):
            end += len(line)
            if number > 1 or not rows.header:
                _note(path, number, line, rows, before)
            elif line != rows.header:
                raise DataError(
                    f"{path} begins with {line.decode(errors='replace').strip()!r}; expected "
                    f"{rows.header.decode().strip()!r}. Go on with the --top it was begun with"
                )
    with path.open("rb+") as file:
        file.truncate(end)
    return before


def _note(path: Path, number: int, line: bytes, rows: CsvRows | JsonRows, before: TakenUp) -> None:
    try:
        prediction = rows.decode(line)
    except ValueError as error:
        raise DataError(f"{path}, line {number} is no prediction: {error}. Name another file") from None
    before.files.add(prediction.file)
    if prediction.error is not None:
        before.broken.append(prediction)
    elif len(before.samples) < SAMPLES:
        before.samples[prediction.file] = prediction


def _whole_lines(file: BinaryIO, rows: CsvRows | JsonRows) -> Iterator[bytes]:
    line = b""
    for piece in file:
        line += piece
        if rows.is_whole(line):
            yield line
            line = b""


def _write_parquet(lines: Path, path: Path, top: int) -> None:
    """The predictions of ``lines`` as a table, a row group at a time."""
    arrow, arrow_parquet = import_pyarrow(OTHERWISE)
    kinds = {"confidence": arrow.float32()}
    names = columns(top)
    schema = arrow.schema([(name, kinds.get(name.split("_")[0], arrow.string())) for name in names])
    with (
        atomic_write(path) as temporary,
        lines.open("rb") as file,
        arrow_parquet.ParquetWriter(temporary, schema) as writer,
    ):
        while chunk := list(islice(file, ROWS)):
            rows = [cells(JsonRows().decode(line), top) for line in chunk]
            named = {name: [_valid(row[i]) for row in rows] for i, name in enumerate(names)}
            writer.write_table(arrow.table(named, schema))


def _valid(cell: str | float | None) -> str | float | None:
    """Parquet's text is UTF-8, which names of files need not be."""
    return cell.encode(errors="backslashreplace").decode() if isinstance(cell, str) else cell


def _write_lines(path: Path, lines: Path, top: int) -> None:
    """The table at ``path`` as lines, to be added to.

    Raises:
        DataError: where it is no table of predictions with ``top`` classes.
    """
    _, arrow_parquet = import_pyarrow(OTHERWISE)
    rows = JsonRows()
    try:
        with arrow_parquet.ParquetFile(path) as table, atomic_write(lines) as temporary:
            if table.schema_arrow.names != columns(top):
                raise DataError(f"{path} has the columns {', '.join(table.schema_arrow.names)}")
            with temporary.open("wb") as file:
                for batch in table.iter_batches(ROWS):
                    file.write(
                        b"".join(rows.encode(_of_cells(list(row.values()))) for row in batch.to_pylist())
                    )
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} is no table of predictions with {top} classes: {error}. Go on with the --top it was "
            "begun with, or name another file"
        ) from None


def _of_cells(row: list[Any]) -> Prediction:
    file, *values, error = row
    named = zip(values[::2], values[1::2], strict=True)
    return Prediction(file, tuple((name, p) for name, p in named if name is not None), error)
