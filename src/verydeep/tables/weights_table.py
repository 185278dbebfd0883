"""What is in a weight file, for the terminal."""

from rich.table import Table
from rich.text import Text

from verydeep.tables.format import thousands
from verydeep.tables.preprocess_text import seen_in_words
from verydeep.weights.inspect import Contents

MOST_NAMES = 6


def contents_table(contents: Contents) -> Table:
    """One line a fact: the network, its layout, what it sees, what matched and what did not."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in _facts(contents).items():
        if value:
            table.add_row(name, Text(value))
    return table


def _facts(contents: Contents) -> dict[str, str]:
    return {
        "file": str(contents.file),
        "kind": _kind(contents),
        "network": contents.network or "none that is known",
        "architecture_string": contents.architecture_string or "",
        "layout": contents.layout or "",
        "head": _head(contents),
        "sees": seen_in_words(contents.preprocess) if contents.preprocess else "",
        "known by": contents.preprocess_known,
        "tensors": f"{thousands(contents.tensors)}, {thousands(contents.parameters)} numbers, "
        + ", ".join(contents.types),
        "inside": contents.container,
        "prefixes": ", ".join(contents.prefixes),
        "passed over": ", ".join(contents.passed_over),
        "matched": thousands(len(contents.matched)) if contents.matched else "",
        "missing": _names(contents.missing),
        "left over": _names(contents.left_over),
        "SHA-256": contents.sha256,
        "problem": contents.problem,
    }


def _kind(contents: Contents) -> str:
    return f"{contents.kind}, {contents.bytes / 1e6:,.1f} MB"


def _head(contents: Contents) -> str:
    if contents.network is None:
        return ""
    return f"{thousands(contents.classes)} classes" if contents.classes else "none: features only"


def _names(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return f"{len(names):,}: {', '.join(names[:MOST_NAMES])}{more}"
