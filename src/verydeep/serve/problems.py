"""Errors as problem details (RFC 9457): ``application/problem+json`` with a title, a status and a detail."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

from verydeep.errors import UnreadableKind

MEDIA_TYPE = "application/problem+json"

_STATUS_OF: dict[UnreadableKind, HTTPStatus] = {
    "not an image": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "unsupported": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "too large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


class Problem(Exception):
    """A request that is refused; ``detail`` states what was given and what would do."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


def busy(detail: str, seconds: int) -> Problem:
    """A refusal of a request that can be repeated after ``seconds``."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(seconds)})


def status_of(kind: UnreadableKind) -> int:
    """The status for an image that cannot be read."""
    return _STATUS_OF.get(kind, HTTPStatus.UNPROCESSABLE_ENTITY)


def problem_json(status: int, detail: str) -> bytes:
    """The body of a problem."""
    title = HTTPStatus(status).phrase
    values = {"type": "about:blank", "title": title, "status": int(status), "detail": detail}
    return json.dumps(values).encode()


def problem_response(problem: Problem) -> Response:
    """``problem`` as a response."""
    body = problem_json(problem.status, problem.detail)
    return Response(body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)
