"""One HTTP connection: the bytes of a file from an offset on, and the checksum that the server states."""

import logging
import re
import urllib.request
from collections.abc import Iterator
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError

from verydeep.download.checksum import Checksum

_BLOCK = 1 << 18  # bytes a read
_log = logging.getLogger(__name__)


class ConnectionLostError(Exception):
    """A connection that did not transfer the whole file; ``can_retry`` if another connection may help."""

    def __init__(self, message: str, *, can_retry: bool) -> None:
        super().__init__(message)
        self.can_retry = can_retry


def open_at(url: str, part: Path, start: int, timeout: float) -> tuple[HTTPResponse, Checksum | None]:
    """The response with the bytes from ``start`` on, or all bytes if the server does not support ranges."""
    headers = {"User-Agent": "verydeep"} | ({"Range": f"bytes={start}-"} if start else {})
    redirects = _Redirects()
    try:
        # A new opener, because the shared one keeps the proxies of its first use.
        opener = urllib.request.build_opener(redirects)
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        error.close()
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise ConnectionLostError(
                f"the server answered {error.code} {error.reason}", can_retry=False
            ) from error
        part.unlink(missing_ok=True)  # longer than the file on the server, so part of another file
        raise ConnectionLostError("the existing partial file does not fit", can_retry=True) from error
    except (OSError, HTTPException, ValueError) as error:
        raise ConnectionLostError(f"no response: {_reason(error)}", can_retry=False) from error
    if response.status == HTTPStatus.PARTIAL_CONTENT and not _continues(response, start):
        response.close()
        part.unlink(missing_ok=True)
        raise ConnectionLostError("the server sent another range than requested", can_retry=True)
    return cast(HTTPResponse, response), _stated(response.headers) or redirects.stated


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and keeps the checksum that the Hugging Face Hub sends with a redirect."""

    stated: Checksum | None = None

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        self.stated = _stated(headers) or self.stated
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _stated(headers: Message) -> Checksum | None:
    """The hash and size of a large file on the Hub; for a small file the Hub sends a git hash instead."""
    digest = (headers["X-Linked-Etag"] or "").strip('"')
    if not re.fullmatch("[0-9a-f]{64}", digest):
        return None
    size = headers["X-Linked-Size"] or ""
    return Checksum(f"sha256:{digest}", int(size) if size.isdigit() else None)


def _continues(response: HTTPResponse, start: int) -> bool:
    return str(response.headers["Content-Range"]).startswith(f"bytes {start}-")


def total_length(response: HTTPResponse, start: int) -> int | None:
    """The size of the whole file, of which ``response`` has the bytes from ``start`` on; None if unknown."""
    length = response.headers["Content-Length"]
    return start + int(length) if length and length.isdigit() else None


def blocks(response: HTTPResponse) -> Iterator[bytes]:
    """The blocks of the response until its end or until the connection is lost, which the size shows."""
    try:
        while block := response.read(_BLOCK):
            yield block
    except IncompleteRead as error:
        yield error.partial
    except (OSError, HTTPException) as error:
        _log.info("%s: %s", response.url, _reason(error))


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", error)) or type(error).__name__
