"""Downloads one file: resumes partial downloads, and verifies the checksum before the file gets its name."""

import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPResponse
from pathlib import Path

from verydeep.download.checksum import Checksum
from verydeep.download.http import ConnectionLostError, PartError, blocks, open_at, total_length
from verydeep.download.offline import offline
from verydeep.download.part_file import open_part, part_size
from verydeep.download.time_limit import Throughput, TimeLimit
from verydeep.errors import DownloadError

Progress = Callable[[int, int | None], None]
"""Called after every block with the bytes done and the total bytes; None if the total is unknown."""

MAX_UNKNOWN_SIZE = 4_000_000_000
"""The largest file, in bytes, if neither the publisher nor the server states a size."""

_ATTEMPTS = 4  # consecutive connections that bring nothing new
_PAUSE = 0.1  # seconds before the next connection; twice as long after each that brought nothing
_log = logging.getLogger(__name__)


def fetch(
    url: str,
    target: Path,
    known: Checksum,
    *,
    progress: Progress | None = None,
    timeout: float = 20.0,
    slowest: Throughput | None = None,
    max_size: int = MAX_UNKNOWN_SIZE,
) -> None:
    """Download the file at ``url`` to ``target``, and create its folder if necessary.

    The bytes are written to ``<target>.part``. After a lost connection this file is kept and resumed, at once
    and by the next call. It is renamed to ``target`` when its size and hash are verified. Nothing is written
    through a link. Proxies in the environment are used. Offline mode (see ``offline``) makes no connection.

    Args:
        url: an http or https address; https redirects to https only.
        target: the path of the file.
        known: the publisher's checksum. Without a hash, the hash that the Hugging Face Hub sends with the
            file is verified.
        progress: called with the bytes done and the total bytes.
        timeout: seconds to wait for a connection, and for each block.
        slowest: the lowest throughput; a slower download is an error.
        max_size: the largest size in bytes, if neither ``known`` nor the server states one.

    Raises:
        DownloadError: states the URL, what was expected and what was received. A partial file with the wrong
            size or hash is deleted.
        OSError: if the disk is full; the partial file is kept.
    """
    if variable := offline():
        raise DownloadError(f"{url}: not downloaded, because {variable} is set")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    resumed = part_size(part) > 0
    with TimeLimit(slowest or Throughput()) as limit:
        transfer = _Transfer(url, part, known, progress or _ignore, timeout, limit, max_size)
        mismatch = transfer.run()
    if mismatch is None:
        part.replace(target)
        return
    part.unlink(missing_ok=True)  # another process with the same download may have deleted it
    if not resumed:
        raise DownloadError(
            f"{url}: {mismatch}. The file was deleted; try another address, or try again later."
        )
    _log.warning("%s: resumed, but %s; downloading the whole file again", url, mismatch)
    fetch(url, target, known, progress=progress, timeout=timeout, slowest=slowest, max_size=max_size)


@dataclass
class _Transfer:
    """Receives the rest of ``part``, over several connections if necessary."""

    url: str
    part: Path
    known: Checksum
    progress: Progress
    timeout: float
    limit: TimeLimit
    max_size: int
    failures: int = 0
    """Consecutive connections that brought nothing new."""

    def run(self) -> str | None:
        """Receive the file; how it differs from its checksum, as text, or None if it matches."""
        try:
            expected = self._receive_all()
        except PartError as error:
            return str(error)
        return expected.mismatch(self.part)

    def _receive_all(self) -> Checksum:
        """Receive over as many connections as bring something new; the checksum the file must have."""
        while True:
            self.failures += 1
            try:
                return self._receive(part_size(self.part))
            except ConnectionLostError as error:
                reason = self.limit.text if self.limit.is_exceeded else str(error)
                if self.limit.is_exceeded or not error.can_retry or self.failures == _ATTEMPTS:
                    next_step = f" The next attempt resumes {self.part}." if part_size(self.part) else ""
                    raise DownloadError(f"{self.url}: {reason}.{next_step}") from error
                _log.info("%s: %s; resuming", self.url, reason)
            time.sleep(_PAUSE * 2**self.failures)

    def _receive(self, size: int) -> Checksum:
        """Receive over one connection, starting at the end of ``part``, which has ``size`` bytes."""
        if size and size == self.known.exact_size and self.known.digest:
            return self.known
        response, stated = open_at(self.url, size, self.timeout, self.limit)
        expected = self.known if self.known.digest else stated or self.known
        reason = ""
        with response:
            start = size if response.status == HTTPStatus.PARTIAL_CONTENT else 0  # 200: no support for Range
            total = total_length(response, start)
            total = expected.exact_size if total is None else total
            _check_before(expected, self.part, start, total)
            try:
                self._save(response, start, total, self._largest(expected))
            except ConnectionLostError as error:
                reason = f": {error}"
            if start == size and part_size(self.part) > size:
                self.failures = 0
        done = part_size(self.part)
        if reason if total is None else done < total:
            text = f"{done:,} bytes" if total is None else f"{done:,} of {total:,} bytes"
            raise ConnectionLostError(f"connection lost after {text}{reason}", can_retry=True)
        return expected

    def _largest(self, expected: Checksum) -> int:
        return self.max_size if expected.size is None else expected.size + expected.size_tolerance

    def _save(self, response: HTTPResponse, start: int, total: int | None, largest: int) -> None:
        """Write the response to ``part`` from ``start`` on, up to the first block that is too much."""
        done = start
        with open_part(self.part, start) as file:
            try:
                self.progress(done, total)
                for block in blocks(response):
                    done += file.write(block)
                    self.limit.extend(len(block))
                    self.progress(done, total)
                    if done > (largest if total is None else total):
                        raise PartError(f"expected at most {largest:,} bytes, got more")
            finally:
                file.flush()
                os.fsync(file.fileno())


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


def _ignore(done: int, total: int | None) -> None:
    pass
