"""One file from the net, whole or not at all: resumed where it broke off, checked before it has its name."""

import logging
import os
import shutil
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPResponse
from pathlib import Path

from verydeep.download.checksum import Checksum
from verydeep.download.http import ConnectionLostError, blocks, open_at, total_length
from verydeep.errors import DownloadError

Progress = Callable[[int, int | None], None]
"""Told of every block: the bytes that are there, and the bytes in all where they are known."""

_ATTEMPTS = 4  # connections in a row
_log = logging.getLogger(__name__)


def fetch(
    url: str,
    target: Path,
    known: Checksum,
    *,
    progress: Progress | None = None,
    timeout: float = 20.0,
) -> None:
    """Lay the file at ``url`` down as ``target``, whose folder is made where it is missing.

    The bytes gather in ``<target>.part``, which stays where a connection breaks off, to be resumed at once
    and by the next call. Only a part with the right length and hash is renamed to ``target``. Proxies named
    in the environment are used, and nothing is asked of anybody where it says offline.

    Args:
        url: an http or https address.
        target: where the file belongs.
        known: what its publisher states. Where that is no hash, the one that Hugging Face's hub states
            while it sends the file is checked.
        progress: called with the bytes done and the bytes in all.
        timeout: seconds to wait for a connection, and for each block.

    Raises:
        DownloadError: names the url, what was expected and what came. A part with the wrong length or hash is
            deleted.
        OSError: where the disk takes no more; the part stays.
    """
    if variable := offline():
        raise DownloadError(f"{url}: not asked, because {variable} is set")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    resumed = part.exists()
    expected = _receive_whole(url, part, known, progress or _ignore, timeout)
    if fault := expected.fault(part):
        part.unlink()
        if not resumed:
            raise DownloadError(f"{url}: {fault}. It was deleted; try another address, or try again later.")
        _log.warning("%s: resumed, but %s; fetching all of it again", url, fault)
        fetch(url, target, known, progress=progress, timeout=timeout)
    else:
        part.replace(target)


def offline() -> str | None:
    """The variable that forbids the net, VERYDEEP_OFFLINE or HF_HUB_OFFLINE; None where neither does."""
    for variable in ("VERYDEEP_OFFLINE", "HF_HUB_OFFLINE"):
        if os.environ.get(variable, "").lower() in ("1", "true", "yes", "on"):
            return variable
    return None


def _receive_whole(url: str, part: Path, known: Checksum, progress: Progress, timeout: float) -> Checksum:
    """Bring ``part`` to its full length, and tell what it must then be."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _receive(url, part, known, progress, timeout)
        except ConnectionLostError as broken:
            if not broken.may_go_on or attempt == _ATTEMPTS:
                next_step = f" The next try goes on from {part}." if part.exists() else ""
                raise DownloadError(f"{url}: {broken}.{next_step}") from broken
            _log.info("%s: %s; going on from there", url, broken)
    raise AssertionError("the last attempt returns or raises")


def _receive(url: str, part: Path, known: Checksum, progress: Progress, timeout: float) -> Checksum:
    """Receive over one connection, from where ``part`` ends."""
    have = part.stat().st_size if part.exists() else 0
    if have and have == known.exact_size and known.digest:
        return known
    response, stated = open_at(url, part, have, timeout)
    expected = known if known.digest else stated or known
    with response:
        start = have if response.status == HTTPStatus.PARTIAL_CONTENT else 0  # 200: Range was not understood
        total = total_length(response, start) or expected.exact_size
        _refuse_early(expected, part, start, total)
        done = _save(response, part, start, total, progress)
    if total is not None and done < total:
        raise ConnectionLostError(f"broke off after {done:,} of {total:,} bytes", may_go_on=done > have)
    return expected


def _refuse_early(expected: Checksum, part: Path, start: int, total: int | None) -> None:
    """Refuse what cannot be the file, or has no room, before a part that is there is touched."""
    if total is None:
        if expected.digest is None:
            raise ConnectionLostError("neither a hash nor a length is stated", may_go_on=False)
        return
    if expected.size_fault(total):
        words = f"expected {expected.size_words}, {total:,} are offered"
        raise ConnectionLostError(words, may_go_on=False)
    free = shutil.disk_usage(part.parent).free
    if total - start > free:
        words = f"{total - start:,} bytes are to come, and {part.parent} has room for {free:,}"
        raise ConnectionLostError(words, may_go_on=False)


def _save(response: HTTPResponse, part: Path, start: int, total: int | None, progress: Progress) -> int:
    """Write what comes at ``start`` of ``part`` and tell how long it then is, which may be too long."""
    done = start
    with part.open("r+b" if start else "wb") as file:
        file.seek(start)
        progress(done, total)
        for block in blocks(response):
            done += file.write(block)
            progress(done, total)
            if total is not None and done > total:
                break
        file.flush()
        os.fsync(file.fileno())
    return done


def _ignore(done: int, total: int | None) -> None:
    pass
