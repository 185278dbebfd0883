"""Files are written completely or not at all, and what a killed process leaves is cleaned up."""

import os
import signal
import stat
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from verydeep.atomic_write import (
    atomic_folder,
    atomic_write,
    delete_folder,
    remove_leftovers,
    require_room,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_complete(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with atomic_write(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        temporary.write_text("complete")
    assert target.read_text() == "complete"
    assert names(target.parent) == ["file.txt"]


def test_an_error_has_the_path_of_the_user(tmp_path):
    target = tmp_path / "file.txt"
    target.mkdir()
    with pytest.raises(OSError) as caught, atomic_write(target) as temporary:
        temporary.write_text("complete")
    assert caught.value.filename == str(target)


def test_a_folder_does_not_replace_one_that_was_made_meanwhile(tmp_path):
    target = tmp_path / "folder"
    with pytest.raises(OSError) as caught, atomic_folder(target):
        (target / "inner").mkdir(parents=True)
    assert caught.value.filename == str(target)
    assert names(tmp_path) == ["folder"] and names(target) == ["inner"]


def test_an_error_keeps_the_old_file_and_leaves_no_temporary_file(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(OSError, match="full") as caught, atomic_write(target) as temporary:
        temporary.write_text("half")
        raise OSError(28, "full")
    assert caught.value.filename == str(target)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_a_new_file_has_the_permissions_that_the_umask_gives(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "a.txt", "text")
        with atomic_write(tmp_path / "b.safetensors") as temporary:
            save_file({"tensor": torch.zeros(2)}, temporary)  # makes its files private
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o666 & ~umask}


DIES_WHILE_WRITING = """
import os, pathlib, signal, sys
from verydeep.atomic_write import atomic_write
with atomic_write(pathlib.Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def leftover(tmp_path):
    """A target whose writer was killed."""
    target = tmp_path / "file.txt"
    dead = subprocess.run([sys.executable, "-c", DIES_WHILE_WRITING, target])
    assert dead.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 1
    return target


def test_the_next_writer_of_a_file_deletes_what_a_killed_one_left(leftover):
    write_text(leftover.with_name("other.txt"), "text")
    assert len(names(leftover.parent)) == 2
    write_text(leftover, "text")
    assert names(leftover.parent) == ["file.txt", "other.txt"]


def test_only_folders_of_dead_processes_are_leftovers(leftover):
    keep = leftover.with_name(".file.txt.part")
    keep.mkdir()
    with atomic_write(leftover) as temporary:
        temporary.write_text("text")
        remove_leftovers(leftover.parent)
        assert temporary.read_text() == "text"
    assert names(leftover.parent) == [keep.name, "file.txt"]


def test_a_folder_is_deleted_with_its_content(tmp_path):
    (tmp_path / "state" / "inner").mkdir(parents=True)
    (tmp_path / "state" / "inner" / "file").touch()
    delete_folder(tmp_path / "state")
    delete_folder(tmp_path / "state")
    assert names(tmp_path) == []


def test_a_disk_without_room_is_refused(tmp_path):
    require_room(tmp_path, 1)
    with pytest.raises(OSError, match=r"the disk is full: .* MB are needed here") as caught:
        require_room(tmp_path, 2**62)
    assert caught.value.filename == str(tmp_path)
