"""A list of names in a message: the first ones, and how many more there are."""

from collections.abc import Sequence


def first_names(names: Sequence[str], most: int = 5, separator: str = ", ") -> str:
    """``a, b and 3 more``: at most so many names."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return separator.join(names[:most]) + more
