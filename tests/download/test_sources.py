"""The sources to a data set: each tried in turn, everything checked, nothing half-trusted."""

import gzip
import hashlib
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from verydeep.download import debian
from verydeep.download import sources as sources
from verydeep.download.checksum import Checksum
from verydeep.download.sources import Package, PublishedFile, PublishedFiles, cache_root, obtain
from verydeep.errors import DownloadError

PATH = os.environ["PATH"]
CONTENTS = {"a.gz": b"the first file " * 1000, "b.gz": b"the second file " * 1000}


def fingerprint(content: bytes) -> Checksum:
    return Checksum(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))


def packaged(content: bytes) -> bytes:
    """Other bytes with the same content, as a package may hold them."""
    return gzip.compress(content, mtime=0)


@pytest.fixture
def source(site):
    """Two files that nobody serves yet, on the site and in a package that is nowhere."""
    return PublishedFiles(
        name="letters",
        folder="data/letters",
        files=tuple(
            PublishedFile(name, fingerprint(content), fingerprint(packaged(content)))
            for name, content in CONTENTS.items()
        ),
        addresses=(site.address + "first/", site.address + "second/"),
        package=Package("dataset-letters", "usr/share/datasets/letters"),
    )


@pytest.fixture(autouse=True)
def no_apt(monkeypatch, tmp_path):
    """No test reaches for the real package unless it says so."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


def serve(site, folder, contents=CONTENTS):
    for name, content in contents.items():
        site.serve(f"/{folder}/{name}", content)


def assert_whole(folder, pack=bytes):
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"} == {
        name: pack(content) for name, content in CONTENTS.items()
    }


def test_files_are_fetched_once(site, source, tmp_path):
    serve(site, "first")
    assert_whole(obtain(source, tmp_path))
    assert_whole(obtain(source, tmp_path))
    assert [path for path, _ in site.requests] == ["/first/a.gz", "/first/b.gz"]


def test_where_an_address_fails_the_next_goes_on(site, source, tmp_path):
    serve(site, "first", {"a.gz": CONTENTS["a.gz"]})
    serve(site, "second")
    assert_whole(obtain(source, tmp_path))
    assert [path for path, _ in site.requests] == ["/first/a.gz", "/first/b.gz", "/second/b.gz"]


@pytest.mark.parametrize("broken", [b"", b"the first", CONTENTS["a.gz"] + b"x", b"x" * len(CONTENTS["a.gz"])])
def test_a_broken_file_in_the_cache_is_said_once_and_replaced(site, source, tmp_path, broken, caplog):
    serve(site, "first")
    folder = obtain(source, tmp_path)
    (folder / "a.gz").write_bytes(broken)
    with caplog.at_level(logging.WARNING):
        assert_whole(obtain(source, tmp_path))
        obtain(source, tmp_path)
    assert len(caplog.records) == 1
    assert re.search("a.gz is broken: expected .*; it is replaced", caplog.text)


def test_a_broken_file_does_not_stay_where_every_door_is_shut(source, tmp_path):
    folder = tmp_path / "data" / "letters"
    folder.mkdir(parents=True)
    (folder / "a.gz").write_bytes(b"broken")
    with pytest.raises(DownloadError):
        obtain(source, tmp_path)
    assert not (folder / "a.gz").exists()


def test_when_every_door_is_shut_each_is_named_with_its_reason(site, source, tmp_path):
    serve(site, "second", {"a.gz": b"another file"})
    with pytest.raises(DownloadError) as caught:
        obtain(source, tmp_path)
    assert str(caught.value).splitlines() == [
        "letters could not be had: a.gz, b.gz",
        "- Debian's package dataset-letters is not installed: there is no /usr/share/datasets/letters",
        f"- {site.address}first/a.gz: the server answered 404 Not Found.",
        f"- {site.address}second/a.gz: expected 15,000 bytes, 12 are offered.",
        "- this machine has no apt-get",
        f"Files fetched by hand from {site.address}first/ may be put into {tmp_path}/data/letters; "
        "they are checked.",
    ]


def test_files_put_by_hand_into_the_cache_are_taken(source, tmp_path):
    folder = tmp_path / "data" / "letters"
    folder.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    assert_whole(obtain(source, tmp_path))


def test_a_cache_may_be_read_only(site, source, tmp_path, monkeypatch):
    serve(site, "first")
    folder = obtain(source, tmp_path)
    (folder / ".lock").unlink(missing_ok=True)
    monkeypatch.setattr(sources, "FileLock", None)  # whatever is written comes after the lock
    assert_whole(obtain(source, tmp_path))


def test_a_cache_that_cannot_be_made_is_told(source, tmp_path):
    (tmp_path / "data").write_text("a file where the folder belongs")
    with pytest.raises(DownloadError, match=r"cannot be written: .*VERYDEEP_CACHE"):
        obtain(source, tmp_path)


def test_the_files_of_an_installed_package_come_first(site, source, tmp_path):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name, content in CONTENTS.items():
        (shelf / name).write_bytes(packaged(content))
    installed = replace(source, package=Package("letters", str(shelf).removeprefix("/")))
    assert_whole(obtain(installed, tmp_path / "cache"), packaged)
    assert site.requests == []


def test_an_installed_package_with_another_file_is_not_trusted(site, source, tmp_path):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name in CONTENTS:
        (shelf / name).write_bytes(b"another file")
    installed = replace(source, package=Package("letters", str(shelf).removeprefix("/")))
    with pytest.raises(DownloadError, match=r"shelf/a.gz: expected 15,000 bytes, got 12"):
        obtain(installed, tmp_path / "cache")
    serve(site, "first")
    assert_whole(obtain(installed, tmp_path / "cache"))


def test_processes_that_want_the_same_files_wait_for_the_one_that_fetches(site, source, tmp_path):
    serve(site, "first")
    threads = [threading.Thread(target=obtain, args=(source, tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_whole(tmp_path / "data" / "letters")
    assert len(site.requests) == 2


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.setenv("VERYDEEP_CACHE", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "verydeep"


CONTROL = """Package: dataset-letters
Version: 1.0-1
Architecture: all
Maintainer: Nobody <nobody@example.org>
Description: two files
"""


@pytest.fixture
def repository(no_apt, tmp_path, monkeypatch):
    """A Debian repository in a folder, and an apt that knows no other and has no lists yet."""
    monkeypatch.setenv("PATH", PATH)
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip("needs apt-get and dpkg-deb")
    tree, folder = tmp_path / "tree", tmp_path / "repository"
    shelf = tree / "usr/share/datasets/letters"
    for path in (shelf, tree / "DEBIAN", folder, tmp_path / "lists" / "partial"):
        path.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (shelf / name).write_bytes(packaged(content))
    (tree / "DEBIAN" / "control").write_text(CONTROL)
    deb = folder / "dataset-letters_1.0-1_all.deb"
    subprocess.run(["dpkg-deb", "--build", tree, deb], check=True, capture_output=True)
    known = fingerprint(deb.read_bytes())
    sha256 = known.digest.removeprefix("sha256:")
    index = f"{CONTROL}Filename: ./{deb.name}\nSize: {known.size}\nSHA256: {sha256}\n"
    (folder / "Packages").write_text(index)
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{folder} ./\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::SourceList "{tmp_path}/sources.list";\nDir::Etc::SourceParts "/dev/null";\n'
        f'Dir::State::Lists "{tmp_path}/lists";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return folder


def test_a_package_is_downloaded_and_unpacked_though_there_are_no_lists(repository, source, tmp_path):
    folder = obtain(source, tmp_path / "cache")
    assert_whole(folder, packaged)
    assert list((tmp_path / "lists").glob("*Packages*")) == []  # the machine's own lists stay as they were


def test_a_package_that_apt_does_not_know_is_told(repository, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(DownloadError, match="download dataset-numbers` failed: E: Unable to locate package"):
        debian.unpack_package("dataset-numbers", scratch)


def test_a_mirror_is_a_copy_of_the_cache_and_comes_before_what_is_published(
    site, source, tmp_path, monkeypatch
):
    monkeypatch.setenv("VERYDEEP_MIRROR", f"{site.address}nothing {site.address}class/")
    serve(site, "class/data/letters")
    serve(site, "first")
    assert_whole(obtain(source, tmp_path))
    paths = [path for path, _ in site.requests]
    assert paths == [
        "/nothing/data/letters/a.gz",
        "/class/data/letters/a.gz",
        "/class/data/letters/b.gz",
    ]


def test_offline_says_so_at_every_door(site, source, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", PATH)
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    with pytest.raises(DownloadError) as caught:
        obtain(source, tmp_path)
    assert str(caught.value).count("because VERYDEEP_OFFLINE is set") == 3
    assert site.requests == []


def test_a_disk_that_is_full_midway_is_told_and_the_part_is_kept(site, tmp_path):
    """A limit of file sizes is a full disk that any user can have."""
    content = bytes(range(256)) * 4000
    site.serve("/big", content)
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from verydeep.download.sources import PublishedFiles, PublishedFile, obtain\n"
        "from verydeep.download.checksum import Checksum\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))\n"
        "file = PublishedFile('big', Checksum(sys.argv[1]))\n"
        "obtain(PublishedFiles('big', 'data/big', (file,), (sys.argv[2],)), Path(sys.argv[3]))"
    )
    arguments = [fingerprint(content).digest, site.address, tmp_path]
    full = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert re.search(r"DownloadError: .*big cannot be written: .*File too large.*Make room", full.stderr)
    part = (tmp_path / "data" / "big" / "big.part").read_bytes()
    assert 0 < len(part) <= 600_000 and content.startswith(part)
    file = PublishedFile("big", fingerprint(content))
    folder = obtain(PublishedFiles("big", "data/big", (file,), (site.address,)), tmp_path)
    assert (folder / "big").read_bytes() == content
    assert site.requests[-1] == ("/big", f"bytes={len(part)}-")
