"""Whether images are there twice."""

import pytest

from verydeep.image_sources.repeats import are_different, real_sources


@pytest.mark.parametrize(
    ("keys", "different"),
    [
        ([], True), (["a"], True), (["a", "b", "c"], True), (["a", "b", "a"], False),
        ([-1, -2], False),  # which have the same hash in Python
    ],
)  # fmt: skip
def test_keys_with_one_hash_may_be_equal(keys, different):
    assert are_different(keys) is different


def test_a_file_is_the_same_by_whatever_path(tmp_path, monkeypatch):
    file = tmp_path / "a" / "1.png"
    file.parent.mkdir()
    file.touch()
    (tmp_path / "a" / "file.png").symlink_to("1.png")
    (tmp_path / "folder").symlink_to("a")
    monkeypatch.chdir(tmp_path)
    paths = [file, tmp_path / "a" / "file.png", tmp_path / "folder" / "1.png", type(file)("a/../a/1.png")]
    assert set(real_sources(paths)) == {file.resolve()}
