"""One file from the net, whole or not at all: resumed where it broke off, checked before it has its name."""

import hashlib
import logging
import os
import urllib.request
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import cast
from urllib.error import HTTPError

from verydeep.errors import FetchError

Progress = Callable[[int, int | None], None]
"""Told of every block: the bytes that are there, and the bytes in all where they are known."""

_BLOCK = 1 << 18  # bytes a read
_ATTEMPTS = 4  # connections in a row
_log = logging.getLogger(__name__)


def fetch(
    url: str,
    target: Path,
    digest: str,
    size: int | None = None,
    *,
    progress: Progress | None = None,
    timeout: float = 20.0,
) -> None:
    """Lay the file at ``url`` down as ``target``, whose folder is made where it is missing.

    The bytes gather in ``<target>.part``, which stays where a connection breaks off, to be resumed at once
    and by the next call. Only a part with the right length and hash is renamed to ``target``. Proxies named
    in the environment are used.

    Args:
        url: an http or https address.
        target: where the file belongs.
        digest: "sha256:<hex>" or "md5:<hex>"; hex alone is sha256.
        size: bytes expected, where known.
        progress: called with the bytes done and the bytes in all.
        timeout: seconds to wait for a connection, and for each block.

    Raises:
        FetchError: names the url, what was expected and what came. A part with the wrong length or hash is
            deleted.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    resumed = part.exists()
    _receive_whole(url, part, size, progress or _ignore, timeout)
    if fault := find_fault(part, digest, size):
        part.unlink()
        if not resumed:
            raise FetchError(f"{url}: {fault}. It was deleted; try another address, or try again later.")
        _log.warning("%s: resumed, but %s; fetching all of it again", url, fault)
        fetch(url, target, digest, size, progress=progress, timeout=timeout)
    else:
        part.replace(target)


def _receive_whole(url: str, part: Path, size: int | None, progress: Progress, timeout: float) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _receive(url, part, size, progress, timeout)
            return
        except _BrokenOffError as broken:
            if not broken.may_go_on or attempt == _ATTEMPTS:
                next_step = f" The next try goes on from {part}." if part.exists() else ""
                raise FetchError(f"{url}: {broken}.{next_step}") from broken
            _log.info("%s: %s; going on from there", url, broken)


def find_fault(path: Path, digest: str, size: int | None = None) -> str | None:
    """What is wrong with the file at ``path``, in words; None where length and hash are as expected."""
    actual_size = path.stat().st_size
    if size is not None and actual_size != size:
        return f"expected {size:,} bytes, got {actual_size:,}"
    algorithm, _, expected = digest.rpartition(":")
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, algorithm or "sha256").hexdigest()
    if actual != expected.lower():
        return f"expected {algorithm or 'sha256'} {expected}, got {actual}"
    return None


class _BrokenOffError(Exception):
    """A connection that gave less than the whole file, and whether the next may give more."""

    def __init__(self, words: str, *, may_go_on: bool) -> None:
        super().__init__(words)
        self.may_go_on = may_go_on


def _receive(url: str, part: Path, size: int | None, progress: Progress, timeout: float) -> None:
    """Bring ``part`` to its full length over one connection, from where it ends."""
    have = part.stat().st_size if part.exists() else 0
    if have and have == size:
        return
    with _open(url, part, have, timeout) as response:
        start = have if response.status == HTTPStatus.PARTIAL_CONTENT else 0  # 200: Range was not understood
        total = _total(response, start) or size
        if size is not None and total != size:  # a part that is there may still be of the right file
            raise _BrokenOffError(f"expected {size:,} bytes, {total:,} are offered", may_go_on=False)
        done = _save(response, part, start, total, progress)
    if total is not None and done < total:
        raise _BrokenOffError(f"broke off after {done:,} of {total:,} bytes", may_go_on=done > have)


def _open(url: str, part: Path, have: int, timeout: float) -> HTTPResponse:
    """The answer with the bytes from ``have`` on, or all bytes where the server knows no ranges."""
    headers = {"User-Agent": "verydeep"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        # An opener of its own, since the shared one keeps the proxies that were set when it was first used.
        opener = urllib.request.build_opener()
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        error.close()
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _BrokenOffError(
                f"the server answered {error.code} {error.reason}", may_go_on=False
            ) from error
        part.unlink(missing_ok=True)  # longer than the file on the server, so it is of something else
        raise _BrokenOffError("the part that was there does not fit", may_go_on=True) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _BrokenOffError(f"no answer: {_reason(error)}", may_go_on=False) from error
    if response.status == HTTPStatus.PARTIAL_CONTENT and not _continues(response, have):
        response.close()
        part.unlink(missing_ok=True)
        raise _BrokenOffError("the server sent another range than asked for", may_go_on=True)
    return cast(HTTPResponse, response)


def _continues(response: HTTPResponse, have: int) -> bool:
    return str(response.headers["Content-Range"]).startswith(f"bytes {have}-")


def _total(response: HTTPResponse, start: int) -> int | None:
    length = response.headers["Content-Length"]
    return start + int(length) if length and length.isdigit() else None


def _save(response: HTTPResponse, part: Path, start: int, total: int | None, progress: Progress) -> int:
    """Write what comes at ``start`` of ``part`` and tell how long it then is, which may be too long."""
    done = start
    with part.open("r+b" if start else "wb") as file:
        file.seek(start)
        progress(done, total)
        for block in _blocks(response):
            done += file.write(block)
            progress(done, total)
            if total is not None and done > total:
                break
        file.flush()
        os.fsync(file.fileno())
    return done


def _blocks(response: HTTPResponse) -> Iterator[bytes]:
    """What comes, until it ends or breaks off; the caller sees which by its length."""
    try:
        while block := response.read(_BLOCK):
            yield block
    except IncompleteRead as error:
        yield error.partial
    except (OSError, HTTPException) as error:
        _log.info("%s: %s", response.url, _reason(error))


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", error)) or type(error).__name__


def _ignore(done: int, total: int | None) -> None:
    pass
