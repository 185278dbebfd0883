"""A real server on this machine, with the faults that servers and networks have."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Page:
    """What is served at one path, and what goes wrong there."""

    content: bytes = b""
    status: int = 200
    location: str | None = None
    """Where a redirect leads."""
    ranges: bool = True
    """Whether Range is understood."""
    range_start: int | None = None
    """The first byte of every range, whatever was asked for."""
    announced: int | str | None = None
    """Content-Length, where it is a lie."""
    headers: dict[str, str] = field(default_factory=dict)
    """What else the server states."""
    breaks_off: list[int] = field(default_factory=list)
    """How many bytes each connection gives before it is dropped; further ones give all."""


@dataclass
class Site:
    """Pages by path, the address they are served at, and what was asked of them."""

    address: str
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range of each request."""

    def serve(self, path: str, content: bytes = b"", **faults: object) -> None:
        self.pages[path] = Page(content, **faults)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for variable in ("VERYDEEP_OFFLINE", "HF_HUB_OFFLINE", "VERYDEEP_MIRROR"):
        monkeypatch.delenv(variable, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site = Site(f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.site
    server.shutdown()
    thread.join()
    server.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site = self.server.site
        asked = self.headers["Range"]
        site.requests.append((self.path, asked))
        page = site.pages.get(self.path, Page(status=404))
        start = 0
        if asked and page.ranges and page.status == 200:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            start = start if page.range_start is None else page.range_start
        if start and start >= len(page.content):
            self.send_error(416)
            return
        self.send_response(206 if start else page.status)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(page.content) - 1}/{len(page.content)}")
        for name, value in page.headers.items():
            self.send_header(name, value)
        if page.location:
            self.send_header("Location", page.location)
        body = page.content[start:]
        self.send_header("Content-Length", str(len(body) if page.announced is None else page.announced))
        self.end_headers()
        if page.breaks_off:
            body = body[: page.breaks_off.pop(0)]
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
