"""The format of help pages. Imports what it needs when a page is printed: other commands start without it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.help import ColumnSpec, HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

INDENT = "  "
"""Of the second line of a name column, by cyclopts."""


class HelpFormatter:
    """The format of cyclopts, but no text keeps the line breaks of its docstring, and no flag is broken."""

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: "HelpPanel") -> None:
        """Print one table of a page."""
        from cyclopts.help import DefaultFormatter

        columns = _columns_with_whole_names if panel.format == "parameter" else None
        entries = [_without_line_breaks(entry) for entry in panel.entries]
        DefaultFormatter(column_specs=columns)(console, options, panel.copy(entries=entries))

    def render_usage(self, console: "Console", options: "ConsoleOptions", usage: Any) -> None:
        """Print the first line of a page."""
        from cyclopts.help import DefaultFormatter

        DefaultFormatter().render_usage(console, options, usage)


def _without_line_breaks(entry: "HelpEntry") -> "HelpEntry":
    from cyclopts.help import InlineText
    from rich.text import Text

    text = getattr(entry.description, "primary_renderable", None)
    if not isinstance(text, Text):
        return entry
    return entry.copy(description=InlineText(Text(" ".join(text.plain.split()))))


def _columns_with_whole_names(
    console: "Console", options: "ConsoleOptions", entries: list["HelpEntry"]
) -> tuple["ColumnSpec", ...]:
    """The columns of cyclopts, but wide enough for ``--fine-tune.optimizer.stage-lr-decay`` in one piece."""
    from cyclopts.help.specs import get_default_parameter_columns

    width = max(map(_unbroken_width, entries))
    return tuple(
        _widened(column, width) for column in get_default_parameter_columns(console, options, entries)
    )


def _unbroken_width(entry: "HelpEntry") -> int:
    first, *others = " ".join(entry.display_labels_with_metavar).split()
    return max(len(first), *(len(INDENT + name) for name in others), 0)


def _widened(column: "ColumnSpec", width: int) -> "ColumnSpec":
    """``column``; where it is that of the names, at least ``width`` wide."""
    from cyclopts.help import NameRenderer

    if not isinstance(column.renderer, NameRenderer) or (column.max_width or width) >= width:
        return column
    return column.copy(renderer=NameRenderer(width), max_width=width)
