"""The path that a person means."""

from pathlib import Path

import pytest

from verydeep.user_path import user_path


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("~/photos", "/home/someone/photos"), (Path("~"), "/home/someone"), ("a/~b.jpg", "a/~b.jpg"),
        ("~no-user-of-this-name.jpg", "~no-user-of-this-name.jpg"),
        (Path("~no-user-of-this-name/a.jpg"), "~no-user-of-this-name/a.jpg"),
    ],
)  # fmt: skip
def test_a_tilde_is_a_home_folder_where_there_is_one(monkeypatch, path, meant):
    monkeypatch.setenv("HOME", "/home/someone")
    assert user_path(path) == Path(meant)
