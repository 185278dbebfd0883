"""The columns of a help page for flags with long names such as ``--fine-tune.optimizer.stage-lr-decay``."""

from cyclopts.help import ColumnSpec, HelpEntry, NameRenderer
from cyclopts.help.specs import get_default_parameter_columns
from rich.console import Console, ConsoleOptions

INDENT = "  "
"""Of the second line of a name column, by cyclopts."""


def columns_with_whole_names(
    console: Console, options: ConsoleOptions, entries: list[HelpEntry]
) -> tuple[ColumnSpec, ...]:
    """The columns of cyclopts, but wide enough that no name is broken over two lines."""
    width = max(map(_unbroken_width, entries))
    return tuple(
        _widened(column, width) for column in get_default_parameter_columns(console, options, entries)
    )


def _unbroken_width(entry: HelpEntry) -> int:
    first, *others = " ".join(entry.display_labels_with_metavar).split()
    return max(len(first), *(len(INDENT + name) for name in others))


def _widened(column: ColumnSpec, width: int) -> ColumnSpec:
    """``column``; where it is that of the names, at least ``width`` wide."""
    if not isinstance(column.renderer, NameRenderer) or (column.max_width or width) >= width:
        return column
    return column.copy(renderer=NameRenderer(width), max_width=width)
