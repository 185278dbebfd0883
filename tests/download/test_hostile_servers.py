"""Downloads end and write only their own file, whatever the server sends."""

import hashlib
import os
import shutil
import ssl
import subprocess
import time

import pytest

from tests.download.servers import chunked, drip, head, redirect, reset_after, serving, whole
from verydeep.download.checksum import Checksum
from verydeep.download.download import fetch
from verydeep.download.time_limit import Throughput
from verydeep.errors import DownloadError

CONTENT = bytes(range(256)) * 400  # 102,400 bytes
SIZE = len(CONTENT)
KNOWN = Checksum(hashlib.sha256(CONTENT).hexdigest(), SIZE)
WITHOUT_SIZE = Checksum(KNOWN.digest)
SOON = Throughput(grace=0.3, minimum=1e6)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("no_proxy", "localhost")
    for variable in ("VERYDEEP_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "folder" / "file.bin"


def part_of(target):
    return target.with_name("file.bin.part")


def assert_complete(target):
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]


@pytest.mark.parametrize("known", [KNOWN, WITHOUT_SIZE])
def test_a_reset_is_resumed_from_the_last_byte(target, known):
    with serving(reset_after(CONTENT, 70_001), whole(CONTENT)) as server:
        fetch(server.url, target, known)
    assert_complete(target)
    assert server.starts == [0, 70_001]


def test_every_reset_is_resumed_as_long_as_bytes_arrive(target):
    with serving(*[reset_after(CONTENT, 10_000)] * 10, whole(CONTENT)) as server:
        fetch(server.url, target, KNOWN)
    assert_complete(target)
    assert server.starts == list(range(0, SIZE, 10_000))


@pytest.mark.parametrize("after_header", [True, False])
def test_a_reset_before_the_first_byte_is_retried_a_few_times(target, after_header):
    nothing = reset_after(CONTENT, 0, after_header=after_header)
    with serving(*[nothing] * 3, whole(CONTENT)) as server:
        fetch(server.url, target, KNOWN)
    assert_complete(target)
    with serving(nothing) as server, pytest.raises(DownloadError, match=r"reset|without response"):
        fetch(server.url, target, KNOWN)
    assert len(server.starts) == 4


def test_a_server_without_ranges_that_always_breaks_off_is_given_up(target):
    def script(connection, request):
        connection.sendall(head(CONTENT, 0, SIZE) + CONTENT[: 10_000 + 1_000 * len(server.starts)])

    with serving(script) as server, pytest.raises(DownloadError, match="connection lost after"):
        fetch(server.url, target, KNOWN)
    assert len(server.starts) == 5  # the first brings something new, the other four do not continue it


def test_a_chunked_response_that_breaks_off_is_resumed(target):
    """No length tells that bytes are missing."""
    with serving(chunked(CONTENT, 35_100), chunked(CONTENT)) as server:
        fetch(server.url, target, WITHOUT_SIZE)
    assert_complete(target)
    assert 30_000 < server.starts[1] < 35_100


def test_a_response_without_a_length_ends_with_the_connection(target):
    def script(connection, request):
        connection.sendall(head(CONTENT, 0) + CONTENT)

    with serving(script) as server:
        fetch(server.url, target, WITHOUT_SIZE)
    assert_complete(target)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "before",
    [
        b"",
        OK + b"X-Long: ",
        OK + b"Content-Length: 102400\r\n\r\n",
        OK + b"\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["status", "header", "body", "body without a length", "chunk size"],
)
def test_a_server_that_drips_is_given_up(target, before):
    """No byte is late enough for a timeout."""
    start = time.monotonic()
    with serving(drip(before)) as server, pytest.raises(DownloadError, match=r"too slow: \d+ bytes in 0\.\d"):
        fetch(server.url, target, KNOWN, slowest=SOON)
    assert time.monotonic() - start < 5
    assert not target.exists()


def test_endless_provisional_answers_are_given_up(target):
    def script(connection, request):
        while True:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.02)

    with serving(script) as server, pytest.raises(DownloadError, match="too slow"):
        fetch(server.url, target, KNOWN, slowest=SOON)


def test_one_byte_per_connection_is_given_up(target):
    with serving(reset_after(CONTENT, 1)) as server, pytest.raises(DownloadError, match="too slow") as caught:
        fetch(server.url, target, KNOWN, slowest=SOON)
    assert 1 < part_of(target).stat().st_size < 1000
    assert f"The next attempt resumes {part_of(target)}" in str(caught.value)


def test_the_time_limit_grows_with_what_was_received(target):
    """102,400 bytes in about 1 s, with at least 80 kB/s after 0.3 s."""

    def script(connection, request):
        connection.sendall(head(CONTENT, 0, SIZE))
        for start in range(0, SIZE, 10_240):
            connection.sendall(CONTENT[start : start + 10_240])
            time.sleep(0.06)

    with serving(script) as server:
        fetch(server.url, target, KNOWN, slowest=Throughput(grace=0.3, minimum=80_000))
    assert_complete(target)


@pytest.mark.parametrize(
    ("known", "most"), [(WITHOUT_SIZE, 50_000), (Checksum(KNOWN.digest, 60_000, size_tolerance=500), 60_500)]
)
def test_a_response_without_a_length_has_a_largest_size(target, known, most):
    with (
        serving(chunked(CONTENT)) as server,
        pytest.raises(DownloadError, match=f"expected at most {most:,} bytes, got more"),
    ):
        fetch(server.url, target, known, max_size=50_000)
    assert not part_of(target).exists()


def test_a_partial_file_that_another_process_deleted_is_no_crash(target):
    with (
        serving(chunked(CONTENT)) as server,
        pytest.raises(DownloadError, match="expected at most 50,000 bytes, got more"),
    ):
        fetch(
            server.url, target, WITHOUT_SIZE, max_size=50_000,
            progress=lambda done, total: part_of(target).unlink(missing_ok=True),
        )  # fmt: skip


@pytest.mark.parametrize("length", ["\u00b2", "9" * 5000, "-1"])
def test_a_length_that_is_no_number_is_not_stated(target, length):
    def script(connection, request):
        text = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nX-Linked-Size: \u00b2\r\n"
        hub = f'X-Linked-Etag: "{KNOWN.digest}"\r\n\r\n'
        connection.sendall((text + hub).encode("latin-1") + CONTENT)

    with serving(script) as server:
        fetch(server.url, target, Checksum())
    assert_complete(target)


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("content", [b"precious", CONTENT[:1000], CONTENT])
def test_nothing_is_written_through_a_link(target, tmp_path, link, content):
    precious = tmp_path / "precious"
    precious.write_bytes(content)
    target.parent.mkdir()
    link(precious, part_of(target))
    with serving(whole(CONTENT)) as server:
        fetch(server.url, target, KNOWN)
    assert_complete(target)
    assert not target.is_symlink() and target.stat().st_nlink == 1
    assert precious.read_bytes() == content


def test_a_link_to_nothing_and_a_pipe_are_replaced(target, tmp_path):
    target.parent.mkdir()
    for make in (lambda path: path.symlink_to(tmp_path / "new"), os.mkfifo):
        make(part_of(target))
        with serving(whole(CONTENT)) as server:
            fetch(server.url, target, KNOWN)
        assert_complete(target)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("url", ["ftp://localhost/file", "file:///etc/passwd", "data:,x", "FILE:/etc/passwd"])
def test_only_http_is_followed(target, url):
    with pytest.raises(DownloadError, match="is not followed; expected an http or https address"):
        fetch(url, target, KNOWN)
    with serving(redirect(url)) as server, pytest.raises(DownloadError, match=r"not followed|not allowed"):
        fetch(server.url, target, KNOWN)


def test_the_content_of_a_redirect_is_not_read(target):
    with serving(whole(CONTENT)) as server:

        def endless(connection, request):
            connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: {server.url}\r\n\r\n".encode())
            while True:
                connection.sendall(b"x" * 65_536)

        with serving(endless) as first:
            fetch(first.url, target, KNOWN)
    assert_complete(target)


@pytest.fixture
def tls(tmp_path, monkeypatch):
    """The context of a server that this process trusts."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost",
               "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def test_https_redirects_to_https_only(target, tls):
    with serving(whole(CONTENT)) as plain, serving(whole(CONTENT), tls=tls) as encrypted:
        with (
            serving(redirect(plain.url), tls=tls) as first,
            pytest.raises(DownloadError, match=f"{plain.url} is not followed; expected an https address"),
        ):
            fetch(first.url, target, KNOWN)
        assert plain.starts == []
        with serving(redirect(encrypted.url), tls=tls) as second, serving(redirect(second.url)) as first:
            fetch(first.url, target, KNOWN)
    assert_complete(target)


def test_a_reset_under_tls_is_resumed(target, tls):
    with serving(reset_after(CONTENT, 70_001), whole(CONTENT), tls=tls) as server:
        fetch(server.url, target, KNOWN)
    assert_complete(target)
    assert server.starts[1] > 0


def test_a_server_that_drips_under_tls_is_given_up(target, tls):
    script = drip(OK + b"Content-Length: 102400\r\n\r\n")
    with serving(script, tls=tls) as server, pytest.raises(DownloadError, match="too slow"):
        fetch(server.url, target, KNOWN, slowest=SOON)


def test_a_tls_handshake_that_drips_is_given_up(target):
    def script(connection, request):
        raise AssertionError("no request arrives")

    with serving(script) as server:
        server.answer = lambda connection, _: drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")(connection, None)
        with pytest.raises(DownloadError, match="too slow"):
            fetch(server.url.replace("http:", "https:"), target, KNOWN, slowest=SOON)
