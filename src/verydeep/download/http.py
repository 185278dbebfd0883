"""One HTTP connection: the bytes of a file from an offset on, and the checksum that the server states."""

import re
import ssl
import urllib.request
from collections.abc import Iterator
from email.message import Message
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from verydeep.download.checksum import Checksum
from verydeep.download.time_limit import TimeLimit

_BLOCK = 1 << 18  # bytes a read at most


class ConnectionLostError(Exception):
    """A connection that did not transfer the whole file; ``can_retry`` if another connection may help."""

    def __init__(self, message: str, *, can_retry: bool) -> None:
        super().__init__(message)
        self.can_retry = can_retry


class PartError(Exception):
    """The partial file cannot become the file: the server cannot continue it, or it is too large."""


def open_at(url: str, start: int, timeout: float, limit: TimeLimit) -> tuple[HTTPResponse, Checksum | None]:
    """The response with the bytes from ``start`` on, or all bytes if the server does not support ranges.

    Raises:
        ConnectionLostError: if there is no such response.
        PartError: if the file on the server is shorter, or the server sends another range.
    """
    headers = {"User-Agent": "verydeep"} | ({"Range": f"bytes={start}-"} if start else {})
    redirects = _Redirects()
    try:
        request = urllib.request.Request(url, headers=headers)
        _check_scheme(request.type, url, ("http", "https"))
        response = _opener(redirects, limit).open(request, timeout=timeout)
    except HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise PartError("the existing partial file does not fit") from error
        raise ConnectionLostError(
            f"the server answered {error.code} {error.reason}", can_retry=False
        ) from error
    except (OSError, HTTPException, ValueError) as error:
        raise ConnectionLostError(f"no response: {_reason(error)}", can_retry=_is_reset(error)) from error
    if response.status == HTTPStatus.PARTIAL_CONTENT and not _continues(response, start):
        response.close()
        raise PartError("the server sent another range than requested")
    return cast(HTTPResponse, response), _stated(response.headers) or redirects.stated


def _opener(redirects: "_Redirects", limit: TimeLimit) -> urllib.request.OpenerDirector:
    """An opener for http and https only. The shared one would keep the proxies of its first use."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        redirects,
        _HttpHandler(limit),
        _HttpsHandler(limit),
    ):
        opener.add_handler(handler)
    return opener


class _WatchedConnection(HTTPConnection):
    """A connection under a time limit from its first byte on, TLS handshake and headers included."""

    limit: TimeLimit

    def connect(self) -> None:
        super().connect()
        self.limit.watch(self.sock)


class _WatchedTlsConnection(HTTPSConnection, _WatchedConnection):
    """HTTPSConnection.connect calls that of the next class, and then wraps its socket."""


class _HttpHandler(urllib.request.HTTPHandler):
    def __init__(self, limit: TimeLimit) -> None:
        super().__init__()
        self._limit = limit

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_watched, _WatchedConnection, self._limit), req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, limit: TimeLimit) -> None:
        super().__init__()
        self._limit = limit

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_watched, _WatchedTlsConnection, self._limit), req)


def _watched(kind: type[_WatchedConnection], limit: TimeLimit, host: str, **options: Any) -> HTTPConnection:
    connection = kind(host, **options)
    connection.limit = limit
    return connection


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, from https to https only, and keeps the checksum that the Hub sends with one."""

    stated: Checksum | None = None

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        fp.close()  # its content, of any length, is not read
        _check_scheme(
            urlsplit(newurl).scheme, newurl, ("https",) if req.type == "https" else ("http", "https")
        )
        self.stated = _stated(headers) or self.stated
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_scheme(scheme: str, url: str, allowed: tuple[str, ...]) -> None:
    if scheme not in allowed:
        expected = " or ".join(allowed)
        raise ConnectionLostError(f"{url} is not followed; expected an {expected} address", can_retry=False)


def _stated(headers: Message) -> Checksum | None:
    """The hash and size of a large file on the Hub; for a small file the Hub sends a git hash instead."""
    digest = (headers["X-Linked-Etag"] or "").strip('"')
    if not re.fullmatch("[0-9a-f]{64}", digest):
        return None
    size = headers["X-Linked-Size"] or ""
    return Checksum(f"sha256:{digest}", int(size) if re.fullmatch("[0-9]{1,18}", size) else None)


def _continues(response: HTTPResponse, start: int) -> bool:
    return str(response.headers["Content-Range"]).startswith(f"bytes {start}-")


def total_length(response: HTTPResponse, start: int) -> int | None:
    """The size of the whole file, of which ``response`` has the bytes from ``start`` on; None if unknown.

    Only before the response is read.
    """
    return None if response.length is None else start + response.length


def blocks(response: HTTPResponse) -> Iterator[bytes]:
    """The bytes of the response as they arrive, until its end; the size shows whether the end came too soon.

    Raises:
        ConnectionLostError: if the connection was reset or timed out; the bytes before were returned.
    """
    try:
        while block := response.read1(_BLOCK):  # does not wait for a whole block, unlike `read`
            yield block
    except IncompleteRead as error:
        raise ConnectionLostError("the last chunk is incomplete", can_retry=True) from error
    except (OSError, HTTPException, ValueError) as error:
        raise ConnectionLostError(_reason(error), can_retry=True) from error


def _is_reset(error: Exception) -> bool:
    """Whether the server was there and hung up; a refused connection or a timeout soon occurs again."""
    cause = error.reason if isinstance(error, URLError) else error
    is_closed = isinstance(cause, (ConnectionError, ssl.SSLEOFError))
    return is_closed and not isinstance(cause, ConnectionRefusedError)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", error)) or type(error).__name__
