"""A server whose every connection follows a script, for the faults that a real HTTP server does not have."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator

Script = Callable[[socket.socket, "Request"], None]
"""Answers one connection, which is closed afterwards."""


class Request:
    """What was asked on one connection."""

    def __init__(self, text: bytes) -> None:
        self.path = text.split(b" ")[1].decode()
        start = text.lower().partition(b"range: bytes=")[2].partition(b"-")[0]
        self.start = int(start) if start else 0


class ScriptedServer:
    """The n-th connection follows the n-th script, further ones the last."""

    def __init__(self, scripts: tuple[Script, ...], tls: ssl.SSLContext | None) -> None:
        self.scripts, self.tls = list(scripts), tls
        self.starts: list[int] = []
        """The first byte that each request asked for."""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http{'s' if tls else ''}://localhost:{self.listener.getsockname()[1]}/file"
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            if self.closed.is_set():
                connection.close()
                return
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
            with contextlib.suppress(OSError):  # the client hung up, as it should
                self.answer(connection, script)
            connection.close()

    def answer(self, connection: socket.socket, script: Script) -> None:
        with self.tls.wrap_socket(connection, server_side=True) if self.tls else connection as stream:
            text = b""
            while b"\r\n\r\n" not in text:
                text += stream.recv(1 << 16)
            request = Request(text)
            self.starts.append(request.start)
            script(stream, request)

    def close(self) -> None:
        self.closed.set()
        socket.create_connection(self.listener.getsockname()).close()
        self.thread.join()
        self.listener.close()


@contextlib.contextmanager
def serving(*scripts: Script, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    server = ScriptedServer(scripts, tls)
    server.thread.start()
    try:
        yield server
    finally:
        server.close()


def head(content: bytes, start: int, length: int | None = None) -> bytes:
    """The header of an answer from ``start`` on, with the Content-Length ``length``, or without one."""
    lines = ["HTTP/1.1 206 Partial Content" if start else "HTTP/1.1 200 OK"]
    if start:
        lines.append(f"Content-Range: bytes {start}-{len(content) - 1}/{len(content)}")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


def whole(content: bytes) -> Script:
    """Everything that is asked for."""

    def script(connection: socket.socket, request: Request) -> None:
        body = content[request.start :]
        connection.sendall(head(content, request.start, len(body)) + body)

    return script


def reset_after(content: bytes, count: int, *, after_header: bool = True) -> Script:
    """The next ``count`` bytes, and then a reset (RST)."""

    def script(connection: socket.socket, request: Request) -> None:
        body = content[request.start :]
        if after_header:
            connection.sendall(head(content, request.start, len(body)) + body[:count])
            time.sleep(0.05)  # a reset discards what the client has not read yet
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return script


def drip(before: bytes, *, seconds: float = 0.02) -> Script:
    """``before`` at once, and then one byte every few ``seconds``, without end."""

    def script(connection: socket.socket, request: Request) -> None:
        connection.sendall(before)
        while True:
            connection.sendall(b"x")
            time.sleep(seconds)

    return script


def chunked(content: bytes, count: int | None = None) -> Script:
    """In chunks of 10,000 bytes without a length; with ``count``, the connection ends after these."""

    def script(connection: socket.socket, request: Request) -> None:
        body = content[request.start :]
        pieces = [body[i : i + 10_000] for i in range(0, len(body), 10_000)]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        text = head(content, request.start).replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(text + chunks[:count])

    return script


def redirect(url: str, body: bytes = b"") -> Script:
    """A redirect to ``url``."""

    def script(connection: socket.socket, request: Request) -> None:
        text = f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(text.encode() + body)

    return script
