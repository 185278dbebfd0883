"""Parquet's library, where it is there: the one place that asks for it."""

from typing import Any

from verydeep.errors import DataError


def parquet(instead: str) -> tuple[Any, Any]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        DataError: where they are not installed; says that ``instead`` would do.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError(
            f"Parquet needs pyarrow, which is not installed: pip install 'verydeep[parquet]', or {instead}"
        ) from None
    return pyarrow, pyarrow.parquet
