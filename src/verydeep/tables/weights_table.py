"""The contents of a weight file, as a table for the terminal."""

from rich.table import Table
from rich.text import Text

from verydeep.name_list import first_names
from verydeep.number_format import thousands
from verydeep.tables.preprocess_text import preprocess_text
from verydeep.weights.inspect import Contents

SHOWN_KEYS = 6


def contents_table(contents: Contents) -> Table:
    """One row per property: network, layout, preprocessing, matched, missing and unexpected keys."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in _properties(contents).items():
        if value:
            table.add_row(name, Text(value))
    return table


def _properties(contents: Contents) -> dict[str, str]:
    return {
        "file": str(contents.file),
        "format": f"{contents.format}, {contents.bytes / 1e6:,.1f} MB",
        "network": contents.network or "unknown",
        "architecture string": contents.architecture_string or "",
        "layout": contents.layout or "",
        "head": _head(contents),
        "preprocessing": preprocess_text(contents.preprocess) if contents.preprocess else "",
        "preprocessing from": contents.preprocess_source,
        "tensors": f"{thousands(contents.tensors)}, {thousands(contents.parameters)} numbers, "
        + ", ".join(contents.dtypes),
        "container": contents.container,
        "prefixes": ", ".join(contents.prefixes),
        "ignored copies": ", ".join(contents.ignored_copies),
        "matched": thousands(len(contents.matched)) if contents.matched else "",
        "missing": _keys(contents.missing),
        "unexpected": _keys(contents.unexpected),
        "ignored": _keys(contents.ignored),
        "SHA-256": contents.sha256,
        "problem": contents.problem,
    }


def _head(contents: Contents) -> str:
    if contents.network is None:
        return ""
    return f"{thousands(contents.classes)} classes" if contents.classes else "none, features only"


def _keys(keys: tuple[str, ...]) -> str:
    return f"{len(keys):,}: {first_names(keys, SHOWN_KEYS)}" if keys else ""
