"""Rewrites the label column of a CSV or TSV list; all other cells stay as they are."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from verydeep.atomic_write import atomic_write
from verydeep.csv_text import csv_cell
from verydeep.errors import DataError
from verydeep.image_sources.find_images import split_columns
from verydeep.image_sources.list_file import read_list
from verydeep.image_sources.listing import FILE_COLUMNS, LABEL_COLUMNS, find_column
from verydeep.image_sources.table_text import delimiter_of
from verydeep.user_path import user_path


def rewrite_labels(location: str, new_labels: Mapping[str, str]) -> None:
    """Give images of the list at ``location`` other labels; the file is replaced completely or not at all.

    Delimiter, line ends, byte order mark and the other columns are kept; quotes are, where they are needed.

    Args:
        location: the path of a CSV or TSV list in UTF-8, with column names after a colon or without.
        new_labels: by the image's name in the list.

    Raises:
        DataError: if the list has no column of labels, or is not in UTF-8.
    """
    name, columns = split_columns(location)
    path = user_path(name)
    names = read_list(path, columns).names
    text = _read_text(path)
    first = text.lstrip("\ufeff").partition("\n")[0]
    delimiter = delimiter_of(path, first)
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter))
    header = [cell.strip() for cell in rows[0]]
    file = find_column(header, FILE_COLUMNS, columns.file, str(path))
    label = find_column(header, LABEL_COLUMNS, columns.label, str(path))
    images = [row for row in rows[1:] if row]
    if file is None or label is None or len(images) != len(names):
        raise DataError(f"{path} has no column with one label per row; correct its labels by hand")
    for image, row in zip(names, images, strict=True):
        if image in new_labels:
            row[header.index(label)] = str(csv_cell(new_labels[image]))
    written = io.StringIO(newline="")
    line_end = "\r\n" if first.endswith("\r") else "\n"
    csv.writer(written, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    with atomic_write(path.resolve()) as temporary:  # of a link, the file that it leads to
        temporary.write_bytes((mark + written.getvalue()).encode())


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise DataError(f"{path} is not in UTF-8; save it as UTF-8 first") from None
