"""The contents of the cache folder as a table, and as values for JSON."""

from datetime import datetime
from typing import Any

from rich.text import Text

from verydeep.cache.contents import CacheContents, CacheEntry
from verydeep.cache.removal import Removal
from verydeep.number_format import bytes_text
from verydeep.tables.data_table import Column, DataTable

COLUMNS = (
    Column("kind", "kind", is_text=True),
    Column("name", "name", is_text=True),
    Column("size", "size"),
    Column(
        "last_used", "last use", is_text=True,
        definition="Last use: when a file was last read or written; many systems note reading by the day.",
    ),
    Column("note", "", is_text=True),
)  # fmt: skip


def cache_table(contents: CacheContents) -> DataTable:
    """One row for each entry, and what is left alone below."""
    others = ""
    if contents.others:
        size = bytes_text(sum(file.size for file in contents.others))
        others = f"Besides: {len(contents.others):,} files or links, {size}, that are not from verydeep."
    return DataTable(
        title=Text(f"Cache {contents.folder}\n", "bold"),
        columns=COLUMNS,
        rows=tuple(_row(entry) for entry in contents.entries),
        total=("total", "", bytes_text(contents.size), "", ""),
        note=others,
    )


def _row(entry: CacheEntry) -> tuple[str, ...]:
    note = "unfinished download" if entry.is_partial else ""
    return (entry.kind, entry.name, bytes_text(entry.size), _time(entry).strftime("%Y-%m-%d"), note)


def _time(entry: CacheEntry) -> datetime:
    return datetime.fromtimestamp(entry.last_used).astimezone()


def cache_values(contents: CacheContents) -> dict[str, Any]:
    """For JSON."""
    return {
        "folder": str(contents.folder),
        "bytes": contents.size,
        "entries": [entry_values(entry) for entry in contents.entries],
        "others": {"files": len(contents.others), "bytes": sum(file.size for file in contents.others)},
    }


def entry_values(entry: CacheEntry) -> dict[str, Any]:
    """One entry for JSON."""
    return {
        "kind": entry.kind,
        "name": entry.name,
        "folder": str(entry.folder),
        "files": len(entry.files),
        "bytes": entry.size,
        "last_used": _time(entry).isoformat(timespec="seconds"),
        "partial": entry.is_partial,
    }


def removal_values(removals: list[Removal]) -> dict[str, Any]:
    """What was removed and what was kept, for JSON."""
    return {
        "removed": [entry_values(each.entry) for each in removals if not each.problem],
        "kept": [entry_values(each.entry) | {"problem": each.problem} for each in removals if each.problem],
        "freed_bytes": sum(each.freed for each in removals),
    }
