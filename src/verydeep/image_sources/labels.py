"""Labels as text: missing values, numbers that were stored as decimals, and one-hot columns."""

import re
from collections.abc import Mapping, Sequence
from unicodedata import normalize

_MISSING = frozenset({"", "nan", "-nan", "null", "n/a", "#n/a", "<na>", "nat"})
_WHOLE = re.compile(r"([+-]?[0-9]+)\.0*")


def is_missing(text: str) -> bool:
    """Whether a cell stands for a missing value, as pandas, R and spreadsheets write it."""
    return text.lower() in _MISSING or text == "NA"


def label_text(text: str | None) -> str | None:
    """A label in composed form (NFC); None if it is missing."""
    return None if text is None or is_missing(text) else normalize("NFC", text)


def whole_numbers(cells: Sequence[str]) -> list[str]:
    """``2.0`` as ``2`` if all cells are whole numbers or missing: tables store integers as decimals."""
    filled = [cell for cell in cells if not is_missing(cell)]
    if not all(_WHOLE.fullmatch(cell) or re.fullmatch("[+-]?[0-9]+", cell) for cell in filled):
        return list(cells)
    return [match[1] if (match := _WHOLE.fullmatch(cell)) else cell for cell in cells]


def one_hot_columns(cells: Mapping[str, Sequence[str]]) -> list[str]:
    """The columns that hold only 0 and 1, if there are at least two."""
    columns = [name for name, values in cells.items() if set(values) <= {"0", "1"}]
    return columns if len(columns) > 1 else []


def one_hot_labels(cells: Mapping[str, Sequence[str]], columns: Sequence[str]) -> list[str | None]:
    """For each row the column with the 1; None for a row with none or several."""
    rows = zip(*(cells[column] for column in columns), strict=True)
    return [columns[row.index("1")] if row.count("1") == 1 else None for row in rows]
