"""Uploads without end, large images and a thousand connections at once: the server's memory does not grow."""

import io
import resource
import select
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest
from PIL import Image

from verydeep.serve.limits import Limits
from verydeep.serve.pipeline import MAX_DECODERS

from .. import process_memory
from ..process_memory import memory
from .conftest import connect, encoded, post, received, started, wait_until

CONNECTIONS = 1000
UPLOAD = 200_000_000
CHUNK = bytes(1_000_000)


@pytest.fixture(scope="module")
def running(bundle):
    """A server process that has answered; it does so at the end, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4 * CONNECTIONS), hard))  # of the server, too
    with started(bundle) as (process, client), ThreadPoolExecutor(1) as reader:
        reader.submit(process.stdout.read)  # a log that nobody reads would block the server
        assert client.image(encoded()).status == 200
        yield process, client
        assert client.image(encoded()).status == 200
        process.terminate()
        assert process.wait(20) == 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def growth_below(running):
    """A block in which the peak of the server's memory may grow by so many megabytes."""
    process, _ = running
    return partial(process_memory.growth_below, process=process.pid)


def blank(width, height):
    """A white image, small as a file."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(file, "PNG")
    return file.getvalue()


HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\n"


@pytest.mark.parametrize(
    ("head", "frame", "accepted"),
    [
        pytest.param(post(UPLOAD), CHUNK, 0, id="with its length"),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
            b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK),
            Limits.max_bytes,
            id="in chunks",
        ),
    ],
)
def test_a_large_upload_is_refused_before_it_is_sent(running, growth_below, head, frame, accepted):
    """Within the buffers of the connection, which have megabytes."""
    _, client = running
    sent = 0
    with growth_below(megabytes=3 * accepted / 1e6 + 10), connect(client) as connection:
        connection.sendall(head)
        while sent < UPLOAD and not select.select([connection], [], [], 0)[0]:
            connection.sendall(frame)
            sent += len(CHUNK)
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    assert accepted <= sent < accepted + 20_000_000


def test_large_images_leave_no_memory(running, png):
    """36 million pixels in a file of 110 kB, which the limit of pixels allows."""
    process, client = running
    large = blank(6000, 6000)
    before = memory(process.pid, "VmRSS")
    assert {client.image(large).status for _ in range(3)} == {200}
    assert memory(process.pid, "VmHWM") - before < 150 * MAX_DECODERS
    wait_until(lambda: memory(process.pid, "VmRSS") - before < 30)


def test_a_thousand_connections_are_answered_or_refused(running, growth_below, png):
    _, client = running
    with growth_below(megabytes=100), ExitStack() as stack:
        connections = [stack.enter_context(connect(client)) for _ in range(CONNECTIONS)]
        for connection in connections:
            connection.sendall(post(len(png), b"Connection: close\r\n") + png)
        statuses = Counter(received(connection)[9:12] for connection in connections)
    assert statuses.keys() <= {b"200", b"503"} and statuses[b"200"] >= Limits.max_queue


def test_a_thousand_slow_connections_delay_nobody(running, growth_below, png):
    """Half of them inside the headers, half inside the body."""
    _, client = running
    with growth_below(megabytes=100), ExitStack() as stack:
        for part in (HEAD, post(len(png)) + png[:100]):
            for _ in range(CONNECTIONS // 2):
                stack.enter_context(connect(client)).sendall(part)
        start = time.monotonic()
        assert client.image(png).status == 200
        assert time.monotonic() - start < 5  # they wait for 10 s and 60 s
