"""Removes entries of the cache: files of verydeep that no other process holds, and nothing through a link."""

import re
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import get_args

from verydeep.atomic_write import remove_leftovers
from verydeep.cache.contents import CacheContents, CacheEntry, Kind
from verydeep.cache.own_files import SHARE_LOCK
from verydeep.claim import claim_file, claim_folder
from verydeep.download.sources import PACKAGE_PREFIX
from verydeep.errors import DataError, InUseError

KINDS: tuple[Kind, ...] = get_args(Kind)
_HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True)
class Removal:
    """What became of one entry."""

    entry: CacheEntry
    freed: int
    """Bytes."""
    problem: str | None = None
    """Why something of it is left."""


def select(
    contents: CacheContents, names: Sequence[str] = (), older_than: float | None = None
) -> tuple[CacheEntry, ...]:
    """The entries with one of ``names``, kinds or names; all without any.

    Args:
        contents: of the cache.
        names: such as ``features`` or ``cifar10``.
        older_than: only what was last used before so many seconds.

    Raises:
        DataError: if a name is neither a kind nor in the cache.
    """
    known = {entry.name for entry in contents.entries}
    for name in names:
        if name not in known and name not in KINDS:
            near = get_close_matches(name, [*known, *KINDS], n=1)
            hint = f"did you mean {near[0]}?" if near else "`verydeep cache list` shows what there is"
            raise DataError(f"the cache has no {name!r}; expected {', '.join(KINDS)} or a name; {hint}")
    latest = None if older_than is None else time.time() - older_than
    return tuple(
        entry
        for entry in contents.entries
        if (not names or entry.name in names or entry.kind in names)
        and (latest is None or entry.last_used < latest)
    )


def age_seconds(text: str) -> float:
    """The seconds of an age such as ``12h``, ``30d`` or ``2w``.

    Raises:
        DataError: if it has no unit, or is something else.
    """
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]+)?) ?([hdw])", text.strip().lower())
    if not match:
        raise DataError(
            f"the age {text!r} has no unit that is known; expected hours, days or weeks: 12h, 30d or 2w"
        )
    return float(match[1]) * _HOURS[match[2]] * 3600


def remove(entry: CacheEntry) -> Removal:
    """Delete the files of ``entry``, unless another process is writing in its folder."""
    if entry.folder.resolve() != entry.folder:
        return Removal(entry, 0, "it is behind a link now")
    problem = None
    try:
        if entry.kind == "features":
            _require_no_claim(entry)
            _delete_files(entry)
        elif entry.kind == "leftovers":
            _delete_leftovers(entry)
        else:
            with claim_folder(entry.folder):
                _delete_files(entry)
    except InUseError:
        problem = "another process is using it"
    except OSError as error:
        problem = error.strerror or str(error)
    freed = sum(file.size for file in entry.files if not file.path.exists())
    with suppress(OSError):  # something else is in it
        entry.folder.rmdir()
    return Removal(entry, freed, problem)


def _require_no_claim(entry: CacheEntry) -> None:
    """Claim for a moment what others may have claimed; the files of dead claims are gone afterwards.

    A process that claims something later only adds chunks, whose names are new.
    """
    for file in entry.folder.iterdir():
        if match := SHARE_LOCK.fullmatch(file.name):
            with claim_file(entry.folder / match["share"]):
                pass


def _delete_files(entry: CacheEntry) -> None:
    for file in entry.files:
        file.path.unlink(missing_ok=True)


def _delete_leftovers(entry: CacheEntry) -> None:
    remove_leftovers(entry.folder)
    packages = [folder for folder in entry.folder.glob(f"{PACKAGE_PREFIX}*") if not folder.is_symlink()]
    if packages:
        with claim_folder(entry.folder):
            for folder in packages:
                shutil.rmtree(folder)
