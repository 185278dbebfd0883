"""``verydeep info`` and ``verydeep cache``: this installation, and what it keeps on the disk."""

from collections.abc import Sequence
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from verydeep.cache.contents import CacheContents, CacheEntry, read_cache
from verydeep.cache.removal import age_seconds, remove, select
from verydeep.download.sources import cache_root
from verydeep.info.info import read_info
from verydeep.number_format import bytes_text
from verydeep.tables.cache_table import cache_table, cache_values, removal_values
from verydeep.tables.info_table import info_text
from verydeep.terminal.confirm import confirm
from verydeep.terminal.console import out, print_json, print_message
from verydeep.terminal.table_flags import print_table


def info(*, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Show what a bug report needs: versions, machine, precision, cache, language.

    It has no names of users or machines, no addresses and no passwords.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    found = read_info()
    if json:
        print_json(found.values)
    else:
        out().print(info_text(found), markup=False, soft_wrap=True)
    return 0


cache = cyclopts.App(
    name="cache",
    result_action="return_value",
    help_format="plaintext",
    help_epilogue="Example: verydeep cache list\nNext: verydeep cache clear features",
)


@cache.command(name="list", help_epilogue="Example: verydeep cache list\nNext: verydeep cache clear features")
def list_cache(*, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """List the cache: downloaded data sets and weights, features, times of runtimes, leftovers; size and
    last use.

    Parameters
    ----------
    json
        Print one JSON object: folder, bytes, entries, others.
    """
    contents = read_cache(cache_root())
    if json:
        print_json(cache_values(contents))
    elif contents.entries or contents.others:
        print_table(cache_table(contents))
    else:
        print_message(f"The cache {contents.folder} is empty")
    return 0


@cache.command(
    help_epilogue="Example: verydeep cache clear features --older-than 30d\nNext: verydeep cache list"
)
def clear(
    what: Annotated[list[str] | None, Parameter(name="WHAT")] = None,
    /,
    *,
    older_than: str | None = None,
    yes: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Remove what the cache holds, after a question. Data sets and weights are downloaded again when needed.

    What another process is writing stays, then the exit code is 1. Links and files that are not from verydeep
    stay too.

    Parameters
    ----------
    what
        Kinds (data, weights, features, runtimes, leftovers) or names of `verydeep cache list`; all by
        default.
    older_than
        Only what was last used so long ago: 12h, 30d or 2w.
    yes
        Do not ask.
    json
        Print one JSON object: removed, kept, freed_bytes.
    """
    age = None if older_than is None else age_seconds(older_than)
    contents = read_cache(cache_root())
    entries = select(contents, what or (), age)
    if entries and not yes and not confirm(_question(contents, entries)):
        print_message("Nothing was removed")
        return 0
    removals = [remove(entry) for entry in entries]
    for removal in removals:
        if removal.problem:
            print_message(f"Kept {removal.entry.kind} {removal.entry.name}: {removal.problem}")
    freed = bytes_text(sum(removal.freed for removal in removals))
    if json:
        print_json(removal_values(removals))
    elif removals:
        out().print(f"Freed {freed} in {contents.folder}", markup=False, soft_wrap=True)
    else:
        print_message(f"Nothing to remove in {contents.folder}")
    return 1 if any(removal.problem for removal in removals) else 0


def _question(contents: CacheContents, entries: Sequence[CacheEntry]) -> str:
    lines = [f"{entry.kind} {entry.name}: {bytes_text(entry.size)}" for entry in entries]
    size = bytes_text(sum(entry.size for entry in entries))
    return "\n".join([*lines, f"Remove {len(entries):,} entries, {size}, from {contents.folder}?"])
