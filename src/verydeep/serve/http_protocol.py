"""uvicorn's HTTP/1.1 with a time limit for headers, problem details, and half-closed connections."""

import asyncio
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from verydeep.serve.problems import MEDIA_TYPE, problem_json


def http_protocol(header_seconds: float) -> type[asyncio.Protocol]:
    """The protocol with a limit of ``header_seconds`` for the headers of each request."""
    return type("HttpProtocol", (_Protocol,), {"header_seconds": header_seconds, "eof_received": _keep_open})


def _keep_open(protocol: "_Protocol") -> bool:
    """Keep a connection for the answer, where the client closed its side after a whole request.

    uvicorn's own method gives nothing, which closes the connection.
    """
    if not protocol.is_in_request() or protocol.cycle.more_body:
        return False
    protocol.cycle.keep_alive = False
    return True


class _Protocol(H11Protocol):
    """uvicorn itself waits without end for the first request of a connection, and for its headers."""

    header_seconds: float
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """A byte now and then does not move the end of the time."""
        super().data_received(data)
        if self.is_in_request():
            self._stop_timer()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._start_timer()
        super().on_response_complete()
        if self.is_in_request():
            self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """A problem, where nothing was answered yet."""
        self._refuse(HTTPStatus.BAD_REQUEST, "this is not a request in HTTP/1.1, or its headers are too long")

    def is_in_request(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self.header_seconds, self._end)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _end(self) -> None:
        detail = f"the headers did not arrive in {self.header_seconds:g} s"
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, detail)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = problem_json(status, detail)
            headers = [
                ("content-type", MEDIA_TYPE),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            response = h11.Response(status_code=status, headers=headers, reason=status.phrase)
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
