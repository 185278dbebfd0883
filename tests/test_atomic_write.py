"""Files are written completely or not at all."""

import pytest

from verydeep.atomic_write import atomic_write


def test_a_file_appears_when_it_is_complete(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with atomic_write(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        temporary.write_text("complete")
    assert target.read_text() == "complete"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_an_error_has_the_path_of_the_user(tmp_path):
    target = tmp_path / "file.txt"
    target.mkdir()
    with pytest.raises(OSError) as caught, atomic_write(target) as temporary:
        temporary.write_text("complete")
    assert caught.value.filename == str(target)


def test_an_error_keeps_the_old_file_and_leaves_no_temporary_file(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(OSError, match="full"), atomic_write(target) as temporary:
        temporary.write_text("half")
        raise OSError(28, "full")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]
