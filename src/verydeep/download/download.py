"""Downloads one file: resumes partial downloads, and verifies the checksum before the file gets its name."""

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
"""Called after every block with the bytes done and the total bytes; None if the total is unknown."""

_ATTEMPTS = 4  # consecutive connections
_log = logging.getLogger(__name__)


def fetch(
    url: str,
    target: Path,
    known: Checksum,
    *,
    progress: Progress | None = None,
    timeout: float = 20.0,
) -> None:
    """Download the file at ``url`` to ``target``, and create its folder if necessary.

    The bytes are written to ``<target>.part``. After a lost connection this file is kept and resumed, at once
    and by the next call. It is renamed to ``target`` when its size and hash are verified. Proxies in the
    environment are used. Offline mode (see ``offline``) makes no connection.

    Args:
        url: an http or https address.
        target: the path of the file.
        known: the publisher's checksum. Without a hash, the hash that the Hugging Face Hub sends with the
            file is verified.
        progress: called with the bytes done and the total bytes.
        timeout: seconds to wait for a connection, and for each block.

    Raises:
        DownloadError: states the URL, what was expected and what was received. A partial file with the wrong
            size or hash is deleted.
        OSError: if the disk is full; the partial file is kept.
    """
    if variable := offline():
        raise DownloadError(f"{url}: not downloaded, because {variable} is set")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    resumed = part.exists()
    expected = _receive_all(url, part, known, progress or _ignore, timeout)
    if mismatch := expected.mismatch(part):
        part.unlink()
        if not resumed:
            raise DownloadError(
                f"{url}: {mismatch}. The file was deleted; try another address, or try again later."
            )
        _log.warning("%s: resumed, but %s; downloading the whole file again", url, mismatch)
        fetch(url, target, known, progress=progress, timeout=timeout)
    else:
        part.replace(target)


def offline() -> str | None:
    """The variable that sets offline mode, VERYDEEP_OFFLINE or HF_HUB_OFFLINE; None if neither is set."""
    for variable in ("VERYDEEP_OFFLINE", "HF_HUB_OFFLINE"):
        if os.environ.get(variable, "").lower() in ("1", "true", "yes", "on"):
            return variable
    return None


def _receive_all(url: str, part: Path, known: Checksum, progress: Progress, timeout: float) -> Checksum:
    """Receive the rest of ``part``, over several connections if necessary; the checksum it must have."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _receive(url, part, known, progress, timeout)
        except ConnectionLostError as error:
            if not error.can_retry or attempt == _ATTEMPTS:
                next_step = f" The next attempt resumes {part}." if part.exists() else ""
                raise DownloadError(f"{url}: {error}.{next_step}") from error
            _log.info("%s: %s; resuming", url, error)
    raise AssertionError("the last attempt returns or raises")


def _receive(url: str, part: Path, known: Checksum, progress: Progress, timeout: float) -> Checksum:
    """Receive over one connection, starting at the end of ``part``."""
    size = part.stat().st_size if part.exists() else 0
    if size and size == known.exact_size and known.digest:
        return known
    response, stated = open_at(url, part, size, timeout)
    expected = known if known.digest else stated or known
    with response:
        start = size if response.status == HTTPStatus.PARTIAL_CONTENT else 0  # 200: no support for Range
        total = total_length(response, start) or expected.exact_size
        _check_before(expected, part, start, total)
        done = _save(response, part, start, total, progress)
    if total is not None and done < total:
        raise ConnectionLostError(f"connection lost after {done:,} of {total:,} bytes", can_retry=done > size)
    return expected


def _check_before(expected: Checksum, part: Path, start: int, total: int | None) -> None:
    """An error for a wrong size or a full disk, before an existing part is changed."""
    if total is None:
        if expected.digest is None:
            raise ConnectionLostError("neither a hash nor a size is known", can_retry=False)
        return
    if expected.size_mismatch(total):
        message = f"expected {expected.size_text}, the server has {total:,}"
        raise ConnectionLostError(message, can_retry=False)
    free = shutil.disk_usage(part.parent).free
    if total - start > free:
        message = f"{total - start:,} bytes are needed, but {part.parent} has {free:,} free"
        raise ConnectionLostError(message, can_retry=False)


def _save(response: HTTPResponse, part: Path, start: int, total: int | None, progress: Progress) -> int:
    """Write the response to ``part`` from ``start`` on; the resulting size, which may be too large."""
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
