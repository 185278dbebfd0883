"""Files get new places, and no other file is ever replaced."""

import os

import pytest

from verydeep.data.place_file import move_file, place_copy


def no_links(*_, **__):
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_is_moved_only_to_a_free_name(tmp_path, monkeypatch, has_links):
    if not has_links:  # as on FAT
        monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        move_file(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").read_text() == "a" and (tmp_path / "b").read_text() == "b"
    move_file(tmp_path / "a", tmp_path / "c")
    assert {file.name for file in tmp_path.iterdir()} == {"b", "c"} and (tmp_path / "c").read_text() == "a"


def test_a_failed_copy_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_text("a")

    def full(source, target):
        target.write_text("hal")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("verydeep.data.place_file.shutil.copy2", full)
    with pytest.raises(OSError, match="No space"):
        place_copy(tmp_path / "a.png", tmp_path / "out", "a.png")
    assert not list((tmp_path / "out").iterdir())
