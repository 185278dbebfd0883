"""A list of doubtful labels for a person to correct: ``doubtful-labels.csv``, made for a spreadsheet.

It has one row per image, and the columns

path        the name of the image in its data set
label       its label
predicted   the class that the network predicted instead, and
confidence  how sure it was, in [0, 1]
new_label   empty; the correct label is written here, and `verydeep data relabel` applies it
new_path    empty, except in the file that undoes a relabeling: where the image was
data        the data set, as an absolute path
"""

import codecs
import csv
import io
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from verydeep.atomic_write import atomic_write
from verydeep.csv_text import KEEP_BYTES, csv_line, from_csv_cell
from verydeep.errors import DataError
from verydeep.image_sources.table_text import delimiter_of
from verydeep.text_file import read_text
from verydeep.user_path import user_path

COLUMNS = ("path", "label", "predicted", "confidence", "new_label", "new_path", "data")
REQUIRED = ("path", "label", "new_label")
"""The columns without which nothing can be relabeled."""


@dataclass(frozen=True, kw_only=True)
class LabelRow:
    """An image whose label is doubtful."""

    path: str
    """Its name in the data set."""
    label: str
    predicted: str = ""
    confidence: float | None = None
    """Of the prediction, in [0, 1]."""
    new_label: str = ""
    """The label it should have; empty where it stays."""
    new_path: str = ""
    """The name that it gets; empty for one made of the new label."""


@dataclass(frozen=True)
class LabelsToCorrect:
    """A list of doubtful labels, where it is, and how it is used."""

    count: int
    file: Path

    @property
    def command(self) -> str:
        """It shows what the corrections in the file would change."""
        return shlex.join(["verydeep", "data", "relabel", str(self.file)])

    @property
    def line(self) -> str:
        """For people, after the list was written."""
        return f"Labels to look at: {self.count:,} in {self.file}; verydeep data relabel applies corrections"


def labels_to_correct(rows: Sequence[LabelRow], file: Path) -> LabelsToCorrect | None:
    """The list of ``rows`` in ``file``; None where there are no rows, and no file."""
    return LabelsToCorrect(len(rows), file) if rows else None


def labels_file(page: Path) -> Path:
    """The list of doubtful labels beside an HTML ``page``."""
    return page.with_name(f"{page.stem}-doubtful-labels.csv")


def absolute_location(location: str) -> str:
    """``location`` of a data set from whatever folder a later command runs in."""
    is_path = not location.startswith("hf:")
    return str(user_path(location).absolute()) if is_path else location


def write_label_file(rows: Iterable[LabelRow], path: Path, location: str) -> None:
    """Write ``rows`` of the data set at ``location``, completely or not at all.

    The file begins with a byte order mark, by which a spreadsheet knows that it is UTF-8.
    """
    data = absolute_location(location)
    with (
        atomic_write(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8-sig", errors=KEEP_BYTES) as file,
    ):
        file.write(csv_line(COLUMNS))
        for row in rows:
            confidence = "" if row.confidence is None else f"{row.confidence:.4f}"
            cells = (row.path, row.label, row.predicted, confidence, row.new_label, row.new_path, data)
            file.write(csv_line(cells))


def read_label_file(path: Path) -> tuple[list[LabelRow], str | None]:
    """The rows of ``path``, also as a spreadsheet saved it, and the location of their data set if it has one.

    Raises:
        DataError: if the file cannot be read, or has none of the columns.
    """
    try:
        text = _text(path)
        delimiter = delimiter_of(path, text.split("\n", 1)[0])
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; give the doubtful-labels.csv of a run") from None
    except (OSError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    missing = [column for column in REQUIRED if rows and column not in rows[0]]
    if missing or not rows:
        problem = f"no column {missing[0]}" if missing else "no rows"
        raise DataError(f"{path} has {problem}; expected the columns {', '.join(COLUMNS)}")
    locations = {from_csv_cell(row.get("data") or "") for row in rows} - {""}
    if len(locations) > 1:
        raise DataError(f"{path} is of several data sets, {' and '.join(sorted(locations)[:2])}; split it")
    return [_row(row) for row in rows], next(iter(locations), None)


def _text(path: Path) -> str:
    """The text of the list; with the byte order mark of ``write_label_file``, all bytes of names stay."""
    content = path.read_bytes()
    if content.startswith(codecs.BOM_UTF8):
        return content.decode("utf-8-sig", errors=KEEP_BYTES)
    return read_text(path)  # saved by another program, which may have used another encoding


def _row(cells: dict[str, str | None]) -> LabelRow:
    def cell(name: str) -> str:
        return from_csv_cell(cells.get(name) or "")

    return LabelRow(
        path=cell("path"),
        label=cell("label"),
        predicted=cell("predicted"),
        new_label=cell("new_label").strip(),
        new_path=cell("new_path"),
    )


def undoing(rows: Sequence[LabelRow]) -> list[LabelRow]:
    """The rows that undo ``rows``, each of which has its ``new_path``."""
    return [
        LabelRow(path=row.new_path, label=row.new_label, new_label=row.label, new_path=row.path)
        for row in rows
    ]
