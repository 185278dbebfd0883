"""Download sources: each is tried in order, and every file is verified."""

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


def checksum(content: bytes) -> Checksum:
    return Checksum(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))


def packaged(content: bytes) -> bytes:
    """Other bytes with the same content, as in a package."""
    return gzip.compress(content, mtime=0)


@pytest.fixture
def source(site):
    """Two files that no server and no package has yet."""
    return PublishedFiles(
        name="letters",
        folder="data/letters",
        files=tuple(
            PublishedFile(name, checksum(content), checksum(packaged(content)))
            for name, content in CONTENTS.items()
        ),
        addresses=(site.address + "first/", site.address + "second/"),
        package=Package("dataset-letters", "usr/share/datasets/letters"),
    )


@pytest.fixture(autouse=True)
def no_apt(monkeypatch, tmp_path):
    """No test downloads the real package, except on purpose."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


def serve(site, folder, contents=CONTENTS):
    for name, content in contents.items():
        site.serve(f"/{folder}/{name}", content)


def assert_complete(folder, pack=bytes):
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"} == {
        name: pack(content) for name, content in CONTENTS.items()
    }


def test_files_are_downloaded_once(site, source, tmp_path):
    serve(site, "first")
    assert_complete(obtain(source, tmp_path))
    assert_complete(obtain(source, tmp_path))
    assert [path for path, _ in site.requests] == ["/first/a.gz", "/first/b.gz"]


def test_if_an_address_fails_the_next_one_continues(site, source, tmp_path):
    serve(site, "first", {"a.gz": CONTENTS["a.gz"]})
    serve(site, "second")
    assert_complete(obtain(source, tmp_path))
    assert [path for path, _ in site.requests] == ["/first/a.gz", "/first/b.gz", "/second/b.gz"]


@pytest.mark.parametrize(
    "corrupt", [b"", b"the first", CONTENTS["a.gz"] + b"x", b"x" * len(CONTENTS["a.gz"])]
)
def test_a_corrupt_file_in_the_cache_is_logged_once_and_replaced(site, source, tmp_path, corrupt, caplog):
    serve(site, "first")
    folder = obtain(source, tmp_path)
    (folder / "a.gz").write_bytes(corrupt)
    with caplog.at_level(logging.WARNING):
        assert_complete(obtain(source, tmp_path))
        obtain(source, tmp_path)
    assert len(caplog.records) == 1
    assert re.search("a.gz is corrupt: expected .*; it is replaced", caplog.text)


def test_a_corrupt_file_is_deleted_even_if_every_download_source_fails(source, tmp_path):
    folder = tmp_path / "data" / "letters"
    folder.mkdir(parents=True)
    (folder / "a.gz").write_bytes(b"corrupt")
    with pytest.raises(DownloadError):
        obtain(source, tmp_path)
    assert not (folder / "a.gz").exists()


def test_if_every_download_source_fails_each_is_listed_with_its_error(site, source, tmp_path):
    serve(site, "second", {"a.gz": b"another file"})
    with pytest.raises(DownloadError) as caught:
        obtain(source, tmp_path)
    assert str(caught.value).splitlines() == [
        "Could not download letters (a.gz, b.gz)",
        "- Debian's package dataset-letters is not installed: /usr/share/datasets/letters does not exist",
        f"- {site.address}first/a.gz: the server answered 404 Not Found.",
        f"- {site.address}second/a.gz: expected 15,000 bytes, the server has 12.",
        "- this machine has no apt-get",
        f"You can put files from {site.address}first/ into {tmp_path}/data/letters yourself; "
        "their checksums are verified.",
    ]


def test_files_that_you_put_into_the_cache_are_used(source, tmp_path):
    folder = tmp_path / "data" / "letters"
    folder.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    assert_complete(obtain(source, tmp_path))


def test_a_cache_may_be_read_only(site, source, tmp_path, monkeypatch):
    serve(site, "first")
    folder = obtain(source, tmp_path)
    (folder / ".lock").unlink(missing_ok=True)
    monkeypatch.setattr(sources, "FileLock", None)  # everything is written after the lock
    assert_complete(obtain(source, tmp_path))


def test_a_cache_that_cannot_be_created_is_an_error(source, tmp_path):
    (tmp_path / "data").write_text("a file in place of the folder")
    with pytest.raises(DownloadError, match=r"cannot be written: .*VERYDEEP_CACHE"):
        obtain(source, tmp_path)


def test_an_installed_package_is_used_first(site, source, tmp_path):
    installed_folder = tmp_path / "installed"
    installed_folder.mkdir()
    for name, content in CONTENTS.items():
        (installed_folder / name).write_bytes(packaged(content))
    installed = replace(source, package=Package("letters", str(installed_folder).removeprefix("/")))
    assert_complete(obtain(installed, tmp_path / "cache"), packaged)
    assert site.requests == []


def test_an_installed_package_with_another_file_is_not_used(site, source, tmp_path):
    installed_folder = tmp_path / "installed"
    installed_folder.mkdir()
    for name in CONTENTS:
        (installed_folder / name).write_bytes(b"another file")
    installed = replace(source, package=Package("letters", str(installed_folder).removeprefix("/")))
    with pytest.raises(DownloadError, match=r"installed/a.gz: expected 15,000 bytes, got 12"):
        obtain(installed, tmp_path / "cache")
    serve(site, "first")
    assert_complete(obtain(installed, tmp_path / "cache"))


def test_concurrent_downloads_of_the_same_files_wait_for_each_other(site, source, tmp_path):
    serve(site, "first")
    threads = [threading.Thread(target=obtain, args=(source, tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_complete(tmp_path / "data" / "letters")
    assert len(site.requests) == 2


def test_the_environment_sets_the_cache_folder(monkeypatch, tmp_path):
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
    """A Debian repository in a folder, the only one that apt knows, without package lists."""
    monkeypatch.setenv("PATH", PATH)
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip("needs apt-get and dpkg-deb")
    tree, folder = tmp_path / "tree", tmp_path / "repository"
    files = tree / "usr/share/datasets/letters"
    for path in (files, tree / "DEBIAN", folder, tmp_path / "lists" / "partial"):
        path.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (files / name).write_bytes(packaged(content))
    (tree / "DEBIAN" / "control").write_text(CONTROL)
    deb = folder / "dataset-letters_1.0-1_all.deb"
    subprocess.run(["dpkg-deb", "--build", tree, deb], check=True, capture_output=True)
    known = checksum(deb.read_bytes())
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


def test_a_package_is_downloaded_and_unpacked_without_package_lists(repository, source, tmp_path):
    folder = obtain(source, tmp_path / "cache")
    assert_complete(folder, packaged)
    assert list((tmp_path / "lists").glob("*Packages*")) == []  # the machine's own lists do not change


def test_an_unknown_package_is_an_error(repository, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(DownloadError, match="download dataset-numbers` failed: E: Unable to locate package"):
        debian.unpack_package("dataset-numbers", scratch)


def test_a_mirror_is_a_copy_of_the_cache_and_is_tried_before_the_published_addresses(
    site, source, tmp_path, monkeypatch
):
    monkeypatch.setenv("VERYDEEP_MIRROR", f"{site.address}nothing {site.address}class/")
    serve(site, "class/data/letters")
    serve(site, "first")
    assert_complete(obtain(source, tmp_path))
    paths = [path for path, _ in site.requests]
    assert paths == [
        "/nothing/data/letters/a.gz",
        "/class/data/letters/a.gz",
        "/class/data/letters/b.gz",
    ]


def test_offline_mode_is_the_error_of_every_download_source(site, source, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", PATH)
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    with pytest.raises(DownloadError) as caught:
        obtain(source, tmp_path)
    assert str(caught.value).count("because VERYDEEP_OFFLINE is set") == 3
    assert site.requests == []


def test_a_full_disk_is_an_error_and_the_partial_file_is_kept(site, tmp_path):
    """A limit on file sizes stands for a full disk."""
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
    arguments = [checksum(content).digest, site.address, tmp_path]
    full = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert re.search(r"DownloadError: .*big cannot be written: .*File too large.*Free some disk", full.stderr)
    part = (tmp_path / "data" / "big" / "big.part").read_bytes()
    assert 0 < len(part) <= 600_000 and content.startswith(part)
    file = PublishedFile("big", checksum(content))
    folder = obtain(PublishedFiles("big", "data/big", (file,), (site.address,)), tmp_path)
    assert (folder / "big").read_bytes() == content
    assert site.requests[-1] == ("/big", f"bytes={len(part)}-")
