"""One connection to a server: the bytes of a file from some place on, and what the server states of it."""

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
    """A connection that gave less than the whole file, and whether the next may give more."""

    def __init__(self, words: str, *, may_go_on: bool) -> None:
        super().__init__(words)
        self.may_go_on = may_go_on


def open_at(url: str, part: Path, have: int, timeout: float) -> tuple[HTTPResponse, Checksum | None]:
    """The answer with the bytes from ``have`` on, or all bytes where the server knows no ranges."""
    headers = {"User-Agent": "verydeep"} | ({"Range": f"bytes={have}-"} if have else {})
    redirects = _Redirects()
    try:
        # An opener of its own, since the shared one keeps the proxies that were set when it was first used.
        opener = urllib.request.build_opener(redirects)
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        error.close()
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise ConnectionLostError(
                f"the server answered {error.code} {error.reason}", may_go_on=False
            ) from error
        part.unlink(missing_ok=True)  # longer than the file on the server, so it is of something else
        raise ConnectionLostError("the part that was there does not fit", may_go_on=True) from error
    except (OSError, HTTPException, ValueError) as error:
        raise ConnectionLostError(f"no answer: {_reason(error)}", may_go_on=False) from error
    if response.status == HTTPStatus.PARTIAL_CONTENT and not _continues(response, have):
        response.close()
        part.unlink(missing_ok=True)
        raise ConnectionLostError("the server sent another range than asked for", may_go_on=True)
    return cast(HTTPResponse, response), _stated(response.headers) or redirects.stated


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and keeps what Hugging Face's hub states of a file before it sends one elsewhere."""

    stated: Checksum | None = None

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        self.stated = _stated(headers) or self.stated
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _stated(headers: Message) -> Checksum | None:
    """The hash and length of a large file on the hub; of a small one it states a git hash, no sha256."""
    digest = (headers["X-Linked-Etag"] or "").strip('"')
    if not re.fullmatch("[0-9a-f]{64}", digest):
        return None
    size = headers["X-Linked-Size"] or ""
    return Checksum(f"sha256:{digest}", int(size) if size.isdigit() else None)


def _continues(response: HTTPResponse, have: int) -> bool:
    return str(response.headers["Content-Range"]).startswith(f"bytes {have}-")


def total_length(response: HTTPResponse, start: int) -> int | None:
    """Bytes of the whole file, of which ``response`` gives those from ``start`` on; None where unsaid."""
    length = response.headers["Content-Length"]
    return start + int(length) if length and length.isdigit() else None


def blocks(response: HTTPResponse) -> Iterator[bytes]:
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
