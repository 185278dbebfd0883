"""Sockets that listen: one for a process, or several at one port."""

import errno
import socket

from verydeep.errors import DataError, VeryDeepError

BACKLOG, MAX_PORT = 2048, 65_535
_OF_THE_PORT = (errno.EADDRINUSE, errno.EACCES)
_OTHER_PORT = "Choose another with --port; --port 0 is any free one"
_OTHER_HOST = "Give an address of this machine to --host, such as 127.0.0.1, or 0.0.0.0 for all of them"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at ``host`` and ``port``; with port 0, at a free one.

    Raises:
        DataError: if ``port`` is out of range.
        VeryDeepError: if it is in use, or ``host`` is not of this machine.
    """
    return _listen(host, port, is_shared=False)


def listen_together(host: str, port: int, count: int) -> list[socket.socket]:
    """``count`` sockets that listen at one port, among which the kernel distributes the connections.

    Raises:
        DataError: as ``listen``.
        VeryDeepError: as ``listen``; also if another server shares the port in this way.
    """
    with listen(host, port) as alone:
        port = alone.getsockname()[1]
    return [_listen(host, port, is_shared=True) for _ in range(count)]


def _listen(host: str, port: int, *, is_shared: bool) -> socket.socket:
    if not 0 <= port <= MAX_PORT:
        raise DataError(f"--port is {port}; expected 0 to {MAX_PORT}")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=is_shared)
        # Connections inherit it. asyncio sets it only where a socket names its protocol, and an answer in two
        # writes then waits for the client's delayed acknowledgment: 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except UnicodeError:
        raise VeryDeepError(f"cannot listen on {host}: this is no name of a host. {_OTHER_HOST}") from None
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]
        advice = _OTHER_PORT if error.errno in _OF_THE_PORT else _OTHER_HOST
        raise VeryDeepError(f"cannot listen on {host}, port {port}: {reason}. {advice}") from None
