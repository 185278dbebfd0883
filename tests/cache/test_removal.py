"""What is removed from a cache folder, and what stays."""

import os
import signal
import subprocess
import sys
import time

import pytest

from verydeep.cache.contents import read_cache
from verydeep.cache.removal import age_seconds, remove, select
from verydeep.errors import DataError

from .conftest import CHUNK, NETWORK

HOLDS = """
import pathlib, sys, time
from verydeep import claim
holds = claim.claim_file if sys.argv[1] == "file" else claim.claim_folder
with holds(pathlib.Path(sys.argv[2])):
    print("claimed", flush=True)
    time.sleep(60)
"""


def files(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_all_of_ours_is_removed_and_nothing_else(root):
    removals = [remove(entry) for entry in select(read_cache(root))]
    assert sum(removal.freed for removal in removals) == 5690
    assert not any(removal.problem for removal in removals)
    assert files(root) == {
        "data/cifar10/notes.txt", "data/mine/cifar-10-binary.tar.gz", "features/mine/ab.safetensors",
        "todo.txt",
    }  # fmt: skip
    assert not (root / "weights/vgg16.imagenet1k_v1").exists()
    assert read_cache(root).entries == ()


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        (["weights"], {"weights"}),
        (["cifar10"], {"data"}),
        (["leftovers", NETWORK], {"leftovers", "features"}),
        ([], {"data", "features", "leftovers", "weights"}),
    ],
)
def test_kinds_and_names_select(root, names, kinds):
    assert {entry.kind for entry in select(read_cache(root), names)} == kinds


def test_a_name_that_is_not_there_is_refused_with_a_suggestion(root):
    with pytest.raises(DataError, match=r"the cache has no 'cifar100'.* did you mean cifar10"):
        select(read_cache(root), ["cifar100"])
    (root / "weights/vgg16.imagenet1k_v1/vgg16-397923af.pth").unlink()
    (root / "weights/vgg16.imagenet1k_v1/vgg16-397923af.pth.checked").unlink()
    assert select(read_cache(root), ["weights"]) == ()


def test_an_age_selects_what_was_not_used_since(root):
    day = 24 * 3600
    for path in (root / "weights").rglob("*.*"):
        os.utime(path, (time.time() - 31 * day,) * 2)
    assert [entry.kind for entry in select(read_cache(root), older_than=30 * day)] == ["weights"]
    assert select(read_cache(root), older_than=32 * day) == ()


@pytest.mark.parametrize(("text", "hours"), [("12h", 12), ("30d", 720), ("1.5 D", 36), ("2w", 336)])
def test_an_age_has_a_unit(text, hours):
    assert age_seconds(text) == hours * 3600


@pytest.mark.parametrize("text", ["30", "", "-3d", "d", "3m", "1e9d", "٣d"])
def test_other_ages_are_refused(text):
    with pytest.raises(DataError, match="expected hours, days or weeks"):
        age_seconds(text)


@pytest.mark.parametrize(
    ("kind", "how", "claimed"),
    [
        ("data", "folder", "data/cifar10"),
        ("weights", "folder", "weights/vgg16.imagenet1k_v1"),
        ("features", "file", f"features/{NETWORK}/1f"),
    ],
)
def test_what_another_process_holds_stays_until_it_is_dead(root, kind, how, claimed):
    entry = select(read_cache(root), [kind])[0]
    command = [sys.executable, "-c", HOLDS, how, root / claimed]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"claimed\n"
        before = files(root)
        assert remove(entry).problem == "another process is using it"
        assert files(root) == before
        process.send_signal(signal.SIGKILL)
    removal = remove(entry)
    assert removal.problem is None and removal.freed == entry.size


def test_a_folder_that_became_a_link_is_left_alone(root, tmp_path):
    (entry,) = select(read_cache(root), ["weights"])
    outside = tmp_path / "outside"
    entry.folder.rename(outside)
    entry.folder.symlink_to(outside)
    assert "link" in remove(entry).problem
    assert len(files(outside)) == 2


def test_a_package_that_is_unpacked_is_a_leftover_when_its_process_is_dead(root):
    package = root / "data/cifar10/.package-abc/unpacked"
    package.mkdir(parents=True)
    (package / "file").write_bytes(bytes(60))
    (package / "link").symlink_to(root / "todo.txt")
    entries = {entry.name: entry for entry in select(read_cache(root), ["leftovers"])}
    assert entries["data/cifar10"].size == 60
    assert remove(entries["data/cifar10"]).freed == 60
    assert not (root / "data/cifar10/.package-abc").exists() and (root / "todo.txt").exists()


def test_what_may_not_be_removed_is_stated(root, monkeypatch):
    (entry,) = select(read_cache(root), ["features"])

    def refuse(self, missing_ok=False):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    assert remove(entry).problem == "Permission denied"
    assert (entry.folder / CHUNK).exists()
