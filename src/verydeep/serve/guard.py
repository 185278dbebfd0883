"""Around every request: the bearer token, security headers, one log line, and the count in the metrics."""

import hmac
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from verydeep.errors import DataError
from verydeep.serve.logs import LOGGER
from verydeep.serve.metrics import Metrics
from verydeep.serve.openapi import PROTECTED
from verydeep.serve.problems import Problem, problem_response

PROBES = ("/healthz", "/readyz", "/metrics")
"""Not logged while all is well."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_ENCODED = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
CLIENT_CLOSED = 499
"""The status in logs and metrics where the client left (nginx's number)."""
MIN_TOKEN = 16


def read_token(path: Path) -> str:
    """The token in the file at ``path``.

    Raises:
        DataError: if it is too short, or no text in one line.
    """
    token = path.read_bytes().strip().decode("latin-1")
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise DataError(
            f"{path} has no token: expected one line of at least {MIN_TOKEN} ASCII characters, without "
            "spaces, such as `openssl rand -hex 32` prints"
        )
    return token


class Guard:
    """An ASGI application around ``app``; ``token`` is None where everybody may use it."""

    def __init__(self, app: ASGIApp, token: str | None, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), int(HTTPStatus.INTERNAL_SERVER_ERROR)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_ENCODED]
            await send(message)

        try:
            app = self.app if self._is_allowed(scope) else _unauthorized
            await app(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = CLIENT_CLOSED
        finally:
            self._record(scope, status, time.perf_counter() - start)

    def _is_allowed(self, scope: Scope) -> bool:
        if self._token is None or not scope["path"].startswith(PROTECTED):
            return True
        given: bytes = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, token = given.partition(b" ")
        is_right = hmac.compare_digest(token, self._token)  # takes as long for every wrong token
        return is_right and scheme.lower() == b"bearer"

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self.metrics.count_request(route, status, seconds)
        if route in PROBES and status == HTTPStatus.OK:
            return
        fields: dict[str, Any] = {
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1e3, 2),
            "client": scope["client"][0] if scope["client"] else None,
        }
        LOGGER.info("request", extra={"fields": fields | scope.get("state", {}).get("log", {})})


async def _unauthorized(scope: Scope, receive: Receive, send: Send) -> None:
    detail = "this needs the token of the server, in a header: Authorization: Bearer TOKEN"
    problem = Problem(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})
    await problem_response(problem)(scope, receive, send)
