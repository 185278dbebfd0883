"""Downloads from a real server that disconnects, redirects, fails and sends wrong files."""

import hashlib
import logging
import socket

import pytest

from verydeep.download.checksum import Checksum
from verydeep.download.download import fetch
from verydeep.download.offline import offline
from verydeep.errors import DownloadError

CONTENT = bytes(range(256)) * 4000  # 1 MB
SIZE = len(CONTENT)
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
KNOWN = Checksum(DIGEST, SIZE)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "folder" / "file.bin"


def part_of(target):
    return target.with_name("file.bin.part")


def write_part(target, content):
    target.parent.mkdir()
    part_of(target).write_bytes(content)


def assert_complete(target):
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]


def test_a_file_is_downloaded_and_progress_is_reported(site, target):
    site.serve("/file", CONTENT)
    calls = []
    fetch(site.address + "file", target, KNOWN, progress=lambda *numbers: calls.append(numbers))
    assert_complete(target)
    assert calls[0] == (0, SIZE) and calls[-1] == (SIZE, SIZE)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


@pytest.mark.parametrize(
    "digest", [DIGEST.removeprefix("sha256:"), DIGEST.upper().replace("SHA256", "sha256"),
               f"md5:{hashlib.md5(CONTENT).hexdigest()}"]
)  # fmt: skip
def test_digests_are_sha256_by_default(site, target, digest):
    site.serve("/file", CONTENT)
    fetch(site.address + "file", target, Checksum(digest))
    assert_complete(target)


def test_a_lost_connection_is_resumed(site, target):
    site.serve("/file", CONTENT, breaks_off=[300_000, 200_000])
    fetch(site.address + "file", target, KNOWN)
    assert_complete(target)
    assert [asked for _, asked in site.requests] == [None, "bytes=300000-", "bytes=500000-"]


def test_an_existing_partial_file_is_resumed(site, target):
    site.serve("/file", CONTENT)
    write_part(target, CONTENT[:700_000])
    calls = []
    fetch(site.address + "file", target, KNOWN, progress=lambda *numbers: calls.append(numbers))
    assert_complete(target)
    assert site.requests == [("/file", "bytes=700000-")]
    assert calls[0] == (700_000, SIZE) and calls[-1] == (SIZE, SIZE)


def test_a_complete_partial_file_needs_no_server(target):
    write_part(target, CONTENT)
    fetch("http://127.0.0.1:1/file", target, KNOWN)
    assert_complete(target)


def test_a_server_without_ranges_sends_the_whole_file(site, target):
    site.serve("/file", CONTENT, ranges=False)
    write_part(target, b"x" * 1000)
    fetch(site.address + "file", target, KNOWN)
    assert_complete(target)


@pytest.mark.parametrize("wrong", [b"x" * 1000, b"x" * SIZE, b"x" * (SIZE + 5)])
@pytest.mark.parametrize("size", [SIZE, None])
def test_a_partial_file_of_another_file_is_replaced(site, target, wrong, size, caplog):
    site.serve("/file", CONTENT)
    write_part(target, wrong)
    fetch(site.address + "file", target, Checksum(DIGEST, size))
    assert_complete(target)


def test_a_wrong_range_is_downloaded_again(site, target):
    site.serve("/file", CONTENT, range_start=5)
    write_part(target, CONTENT[:1000])
    fetch(site.address + "file", target, KNOWN)
    assert_complete(target)


def test_a_connection_that_is_always_lost_keeps_the_partial_file(site, target):
    site.serve("/file", CONTENT, breaks_off=[100_000] * 5 + [0] * 4)
    with pytest.raises(DownloadError, match=r"lost after 500,000 of 1,024,000 bytes.*file.bin.part"):
        fetch(site.address + "file", target, KNOWN)
    assert part_of(target).read_bytes() == CONTENT[:500_000]
    fetch(site.address + "file", target, KNOWN)
    assert_complete(target)


def test_a_connection_without_bytes_is_not_retried_forever(site, target):
    site.serve("/file", CONTENT, breaks_off=[0] * 10)
    with pytest.raises(DownloadError, match="connection lost after 0 of"):
        fetch(site.address + "file", target, KNOWN)
    assert len(site.requests) == 4


def assert_error(site, target, message, size=SIZE):
    with pytest.raises(DownloadError, match=message) as caught:
        fetch(site.address + "file", target, Checksum(DIGEST, size))
    assert site.address + "file" in str(caught.value)
    assert not target.exists()
    assert not part_of(target).exists()


def test_a_wrong_hash_is_an_error(site, target):
    site.serve("/file", b"x" * SIZE)
    received = hashlib.sha256(b"x" * SIZE).hexdigest()
    assert_error(site, target, f"expected {DIGEST.replace(':', ' ')}, got {received}")


def test_a_wrong_size_is_an_error_before_the_download(site, target):
    site.serve("/file", b"<html>log in to the hotel network</html>")
    assert_error(site, target, "expected 1,024,000 bytes, the server has 40")


def test_a_login_page_does_not_delete_the_partial_file(site, target):
    site.serve("/file", b"<html>log in to the hotel network</html>", ranges=False)
    write_part(target, CONTENT[:700_000])
    with pytest.raises(DownloadError, match="the server has 40"):
        fetch(site.address + "file", target, KNOWN)
    site.serve("/file", CONTENT)
    fetch(site.address + "file", target, KNOWN)
    assert_complete(target)
    assert site.requests[-1] == ("/file", "bytes=700000-")


def test_an_announced_size_that_is_too_small_is_an_error(site, target):
    site.serve("/file", CONTENT, announced=SIZE - 10)
    assert_error(site, target, "expected 1,024,000 bytes, the server has 1,023,990")
    assert_error(site, target, "expected sha256", size=None)


def test_an_announced_size_that_is_too_large_is_a_lost_connection(site, target):
    site.serve("/file", CONTENT, announced=SIZE + 10)
    with pytest.raises(DownloadError, match=r"the existing partial file does not fit|connection lost"):
        fetch(site.address + "file", target, Checksum(DIGEST))
    assert not target.exists()


@pytest.mark.parametrize(("status", "message"), [(404, "404 Not Found"), (500, "500 Internal Server Error")])
def test_an_http_error_is_reported(site, target, status, message):
    site.serve("/file", status=status)
    assert_error(site, target, f"the server answered {message}")


def test_a_redirect_is_followed(site, target):
    site.serve("/file", status=302, location="/elsewhere")
    site.serve("/elsewhere", CONTENT)
    fetch(site.address + "file", target, KNOWN)
    assert_complete(target)


def test_a_redirect_loop_is_an_error(site, target):
    site.serve("/file", status=302, location="/file")
    assert_error(site, target, "302")


def test_a_refused_connection_is_an_error(site, target):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match=r"no response: .*refused"):
        fetch(f"http://127.0.0.1:{port}/file", target, Checksum(DIGEST))


def test_a_server_that_does_not_respond_is_a_timeout(target):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(DownloadError, match=r"no response: .*timed out"):
            fetch(url, target, Checksum(DIGEST), timeout=0.1)


def test_proxies_in_the_environment_are_used(site, target, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", site.address)
    site.serve("http://data.example/file", CONTENT)
    fetch("http://data.example/file", target, KNOWN)
    assert_complete(target)


def test_an_existing_file_is_replaced(site, target):
    site.serve("/file", CONTENT)
    target.parent.mkdir()
    target.write_bytes(b"old")
    fetch(site.address + "file", target, KNOWN)
    assert_complete(target)


def test_a_resumed_connection_is_logged(site, target, caplog):
    site.serve("/file", CONTENT, breaks_off=[300_000])
    with caplog.at_level(logging.INFO):
        fetch(site.address + "file", target, KNOWN)
    assert "connection lost after 300,000 of 1,024,000 bytes; resuming" in caplog.text


HUB = {"X-Linked-Etag": f'"{DIGEST.removeprefix("sha256:")}"', "X-Linked-Size": str(SIZE)}


def test_the_hash_that_the_hub_sends_is_verified(site, target):
    """As the Hugging Face Hub responds: the hash of a large file, and a redirect to its URL."""
    site.serve("/file", status=302, location="/elsewhere", headers=HUB)
    site.serve("/elsewhere", CONTENT, breaks_off=[300_000])
    fetch(site.address + "file", target, Checksum())
    assert_complete(target)
    site.serve("/elsewhere", b"x" * SIZE)
    target.unlink()
    with pytest.raises(DownloadError, match=f"expected {DIGEST.replace(':', ' ')}, got"):
        fetch(site.address + "file", target, Checksum())
    assert not target.exists()


def test_a_known_hash_has_priority_over_that_of_the_server(site, target):
    site.serve("/file", CONTENT, headers={"X-Linked-Etag": '"' + 64 * "0" + '"'})
    fetch(site.address + "file", target, KNOWN)
    assert_complete(target)


def test_a_git_hash_is_not_used_as_sha256(site, target):
    site.serve("/file", CONTENT, headers={"X-Linked-Etag": '"' + 40 * "0" + '"'})
    fetch(site.address + "file", target, Checksum())
    assert_complete(target)


def test_a_file_without_hash_and_size_is_an_error(site, target):
    site.serve("/file", CONTENT, announced="unknown")
    with pytest.raises(DownloadError, match="neither a hash nor a size is known"):
        fetch(site.address + "file", target, Checksum())


def test_a_rounded_size_accepts_the_file_but_not_a_login_page(site, target):
    about = Checksum(DIGEST[:15], SIZE + 300, size_tolerance=525)
    site.serve("/file", CONTENT, breaks_off=[300_000])
    fetch(site.address + "file", target, about)
    assert_complete(target)
    site.serve("/file", b"<html>log in to the hotel network</html>")
    with pytest.raises(DownloadError, match="expected about 1,024,300 bytes, the server has 40"):
        fetch(site.address + "file", target, about)


def test_a_file_larger_than_the_disk_is_an_error_before_the_download(site, target):
    site.serve("/file", CONTENT, announced=10**18)
    with pytest.raises(DownloadError, match=r"1(,0{3}){6} bytes are needed, but .*folder has \d"):
        fetch(site.address + "file", target, Checksum(DIGEST))
    assert not part_of(target).exists()


@pytest.mark.parametrize("variable", ["VERYDEEP_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_mode_makes_no_request(site, target, monkeypatch, variable):
    site.serve("/file", CONTENT)
    monkeypatch.setenv(variable, "1")
    assert offline() == variable
    with pytest.raises(DownloadError, match=f"file: not downloaded, because {variable} is set"):
        fetch(site.address + "file", target, KNOWN)
    assert not site.requests
    monkeypatch.setenv(variable, "0")
    assert offline() is None
