"""Imports pyarrow, the optional library for Parquet files, or says how to install it."""

from typing import Any

from verydeep.distribution import install_command
from verydeep.errors import DataError


def import_pyarrow(alternative: str) -> tuple[Any, Any]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        DataError: if they are not installed; its message ends with ``alternative``.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError(
            f"Parquet needs pyarrow, which is not installed: {install_command('parquet')}, or {alternative}"
        ) from None
    return pyarrow, pyarrow.parquet


def valid_utf8(text: str) -> str:
    """``text`` as Parquet can have it: valid UTF-8, which file names need not be."""
    return text.encode(errors="backslashreplace").decode()
