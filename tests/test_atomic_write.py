"""Nobody ever meets half a file."""

import pytest

from verydeep.atomic_write import atomic_write


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with atomic_write(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        temporary.write_text("whole")
    assert target.read_text() == "whole"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_a_place_that_takes_no_file_is_named_as_the_user_named_it(tmp_path):
    target = tmp_path / "file.txt"
    target.mkdir()
    with pytest.raises(OSError) as caught, atomic_write(target) as temporary:
        temporary.write_text("whole")
    assert caught.value.filename == str(target)


def test_a_failure_leaves_the_old_file_and_no_rubbish(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(OSError, match="full"), atomic_write(target) as temporary:
        temporary.write_text("half")
        raise OSError(28, "full")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]
