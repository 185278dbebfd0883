"""Fetching against a real server that drops, lies, redirects and fails: the whole file, or none and why."""

import hashlib
import logging
import socket

import pytest

from verydeep.download.checksum import Checksum
from verydeep.download.download import fetch, offline
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


def lay_part(target, content):
    target.parent.mkdir()
    part_of(target).write_bytes(content)


def assert_whole(target):
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]


def test_a_file_comes_whole_and_progress_is_told(site, target):
    site.serve("/file", CONTENT)
    told = []
    fetch(site.address + "file", target, KNOWN, progress=lambda *numbers: told.append(numbers))
    assert_whole(target)
    assert told[0] == (0, SIZE) and told[-1] == (SIZE, SIZE)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize(
    "digest", [DIGEST.removeprefix("sha256:"), DIGEST.upper().replace("SHA256", "sha256"),
               f"md5:{hashlib.md5(CONTENT).hexdigest()}"]
)  # fmt: skip
def test_digests_are_sha256_unless_they_say_md5(site, target, digest):
    site.serve("/file", CONTENT)
    fetch(site.address + "file", target, Checksum(digest))
    assert_whole(target)


def test_a_dropped_connection_is_taken_up_where_it_broke_off(site, target):
    site.serve("/file", CONTENT, breaks_off=[300_000, 200_000])
    fetch(site.address + "file", target, KNOWN)
    assert_whole(target)
    assert [asked for _, asked in site.requests] == [None, "bytes=300000-", "bytes=500000-"]


def test_a_part_that_was_left_is_resumed(site, target):
    site.serve("/file", CONTENT)
    lay_part(target, CONTENT[:700_000])
    told = []
    fetch(site.address + "file", target, KNOWN, progress=lambda *numbers: told.append(numbers))
    assert_whole(target)
    assert site.requests == [("/file", "bytes=700000-")]
    assert told[0] == (700_000, SIZE) and told[-1] == (SIZE, SIZE)


def test_a_part_that_is_complete_needs_no_server(target):
    lay_part(target, CONTENT)
    fetch("http://127.0.0.1:1/file", target, KNOWN)
    assert_whole(target)


def test_a_server_without_ranges_starts_anew(site, target):
    site.serve("/file", CONTENT, ranges=False)
    lay_part(target, b"x" * 1000)
    fetch(site.address + "file", target, KNOWN)
    assert_whole(target)


@pytest.mark.parametrize("wrong", [b"x" * 1000, b"x" * SIZE, b"x" * (SIZE + 5)])
@pytest.mark.parametrize("size", [SIZE, None])
def test_a_part_of_another_file_is_thrown_away(site, target, wrong, size, caplog):
    site.serve("/file", CONTENT)
    lay_part(target, wrong)
    fetch(site.address + "file", target, Checksum(DIGEST, size))
    assert_whole(target)


def test_a_server_that_sends_another_range_than_asked_for(site, target):
    site.serve("/file", CONTENT, range_start=5)
    lay_part(target, CONTENT[:1000])
    fetch(site.address + "file", target, KNOWN)
    assert_whole(target)


def test_a_connection_that_always_drops_leaves_the_part_for_the_next_call(site, target):
    site.serve("/file", CONTENT, breaks_off=[100_000] * 4)
    with pytest.raises(DownloadError, match=r"broke off after 400,000 of 1,024,000 bytes.*file.bin.part"):
        fetch(site.address + "file", target, KNOWN)
    assert part_of(target).read_bytes() == CONTENT[:400_000]
    fetch(site.address + "file", target, KNOWN)
    assert_whole(target)


def test_a_connection_that_gives_nothing_is_not_asked_forever(site, target):
    site.serve("/file", CONTENT, breaks_off=[0] * 10)
    with pytest.raises(DownloadError, match="broke off after 0 of"):
        fetch(site.address + "file", target, KNOWN)
    assert len(site.requests) == 1


def refused(site, target, words, size=SIZE):
    with pytest.raises(DownloadError, match=words) as caught:
        fetch(site.address + "file", target, Checksum(DIGEST, size))
    assert site.address + "file" in str(caught.value)
    assert not target.exists()
    assert not part_of(target).exists()


def test_another_file_of_the_same_length_is_refused(site, target):
    site.serve("/file", b"x" * SIZE)
    came = hashlib.sha256(b"x" * SIZE).hexdigest()
    refused(site, target, f"expected {DIGEST.replace(':', ' ')}, got {came}")


def test_a_file_of_another_length_is_refused_before_it_is_read(site, target):
    site.serve("/file", b"<html>log in to the hotel network</html>")
    refused(site, target, "expected 1,024,000 bytes, 40 are offered")


def test_a_login_page_does_not_cost_the_part_that_is_there(site, target):
    site.serve("/file", b"<html>log in to the hotel network</html>", ranges=False)
    lay_part(target, CONTENT[:700_000])
    with pytest.raises(DownloadError, match="40 are offered"):
        fetch(site.address + "file", target, KNOWN)
    site.serve("/file", CONTENT)
    fetch(site.address + "file", target, KNOWN)
    assert_whole(target)
    assert site.requests[-1] == ("/file", "bytes=700000-")


def test_an_announced_length_that_is_too_short_is_refused(site, target):
    site.serve("/file", CONTENT, announced=SIZE - 10)
    refused(site, target, "expected 1,024,000 bytes, 1,023,990 are offered")
    refused(site, target, "expected sha256", size=None)


def test_an_announced_length_that_is_too_long_is_a_broken_off_file(site, target):
    site.serve("/file", CONTENT, announced=SIZE + 10)
    with pytest.raises(DownloadError, match=r"the part that was there does not fit|broke off"):
        fetch(site.address + "file", target, Checksum(DIGEST))
    assert not target.exists()


@pytest.mark.parametrize(("status", "words"), [(404, "404 Not Found"), (500, "500 Internal Server Error")])
def test_what_the_server_answers_is_told(site, target, status, words):
    site.serve("/file", status=status)
    refused(site, target, f"the server answered {words}")


def test_a_redirect_is_followed(site, target):
    site.serve("/file", status=302, location="/elsewhere")
    site.serve("/elsewhere", CONTENT)
    fetch(site.address + "file", target, KNOWN)
    assert_whole(target)


def test_a_redirect_in_a_circle_ends(site, target):
    site.serve("/file", status=302, location="/file")
    refused(site, target, "302")


def test_nobody_at_the_address_is_told_at_once(site, target):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match=r"no answer: .*refused"):
        fetch(f"http://127.0.0.1:{port}/file", target, Checksum(DIGEST))


def test_a_server_that_falls_silent_is_given_up(target):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(DownloadError, match=r"no answer: .*timed out"):
            fetch(url, target, Checksum(DIGEST), timeout=0.1)


def test_proxies_in_the_environment_are_used(site, target, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", site.address)
    site.serve("http://data.example/file", CONTENT)
    fetch("http://data.example/file", target, KNOWN)
    assert_whole(target)


def test_a_file_that_is_there_is_replaced(site, target):
    site.serve("/file", CONTENT)
    target.parent.mkdir()
    target.write_bytes(b"old")
    fetch(site.address + "file", target, KNOWN)
    assert_whole(target)


def test_the_log_tells_of_a_resumed_connection(site, target, caplog):
    site.serve("/file", CONTENT, breaks_off=[300_000])
    with caplog.at_level(logging.INFO):
        fetch(site.address + "file", target, KNOWN)
    assert "broke off after 300,000 of 1,024,000 bytes; going on from there" in caplog.text


HUB = {"X-Linked-Etag": f'"{DIGEST.removeprefix("sha256:")}"', "X-Linked-Size": str(SIZE)}


def test_the_hash_that_the_hub_states_is_checked(site, target):
    """As Hugging Face's hub answers: what it knows of a large file, and where the file lies."""
    site.serve("/file", status=302, location="/elsewhere", headers=HUB)
    site.serve("/elsewhere", CONTENT, breaks_off=[300_000])
    fetch(site.address + "file", target, Checksum())
    assert_whole(target)
    site.serve("/elsewhere", b"x" * SIZE)
    target.unlink()
    with pytest.raises(DownloadError, match=f"expected {DIGEST.replace(':', ' ')}, got"):
        fetch(site.address + "file", target, Checksum())
    assert not target.exists()


def test_a_hash_that_is_known_comes_before_one_that_is_stated(site, target):
    site.serve("/file", CONTENT, headers={"X-Linked-Etag": '"' + 64 * "0" + '"'})
    fetch(site.address + "file", target, KNOWN)
    assert_whole(target)


def test_a_small_files_git_hash_is_no_sha256(site, target):
    site.serve("/file", CONTENT, headers={"X-Linked-Etag": '"' + 40 * "0" + '"'})
    fetch(site.address + "file", target, Checksum())
    assert_whole(target)


def test_a_file_of_which_nothing_is_known_is_refused(site, target):
    site.serve("/file", CONTENT, announced="unknown")
    with pytest.raises(DownloadError, match="neither a hash nor a length is stated"):
        fetch(site.address + "file", target, Checksum())


def test_a_rounded_length_lets_the_file_pass_and_a_login_page_not(site, target):
    about = Checksum(DIGEST[:15], SIZE + 300, slack=525)
    site.serve("/file", CONTENT, breaks_off=[300_000])
    fetch(site.address + "file", target, about)
    assert_whole(target)
    site.serve("/file", b"<html>log in to the hotel network</html>")
    with pytest.raises(DownloadError, match="expected about 1,024,300 bytes, 40 are offered"):
        fetch(site.address + "file", target, about)


def test_a_file_that_has_no_room_is_refused_before_it_comes(site, target):
    site.serve("/file", CONTENT, announced=10**18)
    with pytest.raises(DownloadError, match=r"1(,0{3}){6} bytes are to come, and .*folder has room for \d"):
        fetch(site.address + "file", target, Checksum(DIGEST))
    assert not part_of(target).exists()


@pytest.mark.parametrize("variable", ["VERYDEEP_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_asks_nobody(site, target, monkeypatch, variable):
    site.serve("/file", CONTENT)
    monkeypatch.setenv(variable, "1")
    assert offline() == variable
    with pytest.raises(DownloadError, match=f"file: not asked, because {variable} is set"):
        fetch(site.address + "file", target, KNOWN)
    assert not site.requests
    monkeypatch.setenv(variable, "0")
    assert offline() is None
