"""Sockets that listen at a port, alone or together."""

import socket

import pytest

from verydeep.errors import DataError, VeryDeepError
from verydeep.serve.processes.listeners import listen, listen_together


def accepted(listener):
    """The server's end of a new connection."""
    with socket.create_connection(listener.getsockname()[:2]):
        connection, _ = listener.accept()
        return connection


def test_an_answer_in_two_writes_does_not_wait_for_an_acknowledgment():
    with listen("127.0.0.1", 0) as listener, accepted(listener) as connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_several_sockets_share_a_port():
    listeners = listen_together("127.0.0.1", 0, 3)
    try:
        assert len({each.getsockname() for each in listeners}) == 1
        for each in listeners:
            assert each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    finally:
        for each in listeners:
            each.close()


def test_a_port_that_is_taken_or_no_port_is_refused():
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        for attempt in (lambda: listen("127.0.0.1", port), lambda: listen_together("127.0.0.1", port, 2)):
            with pytest.raises(VeryDeepError, match="Choose another with --port"):
                attempt()
        for number in (80_000, -1):
            with pytest.raises(DataError, match="expected 0 to 65535"):
                listen("127.0.0.1", number)


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"])  # of no machine (RFC 5737), and no name
def test_a_host_that_is_not_of_this_machine_is_refused(host):
    with pytest.raises(VeryDeepError, match=f"cannot listen on {host}.* to --host, such as 127.0.0.1"):
        listen(host, 0)
