"""Suggestions for mistyped paths."""

import unicodedata
from pathlib import Path

import pytest

from verydeep.terminal.path_suggestion import near_path, path_suggestion


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("solar/cells", "runs/tune-solar", unicodedata.normalize("NFD", "한글 숫자"), ".hidden"):
        Path(folder).mkdir(parents=True)
    Path("list.csv").write_text("path,label\n")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("solr", "solar"),
        ("Solar", "solar"),
        ("solr/cell", "solar/cells"),
        ("solar/cels/", "solar/cells"),
        ("runs/tune-solr", "runs/tune-solar"),
        ("run/tune-solar", "runs/tune-solar"),
        ("lists.csv", "list.csv"),
        ("한글숫자", unicodedata.normalize("NFD", "한글 숫자")),
        ("solar", None),
        ("solar/xyz", None),
        ("hidden", None),
        ("list.csv/x", None),
        ("a\0b", None),
    ],
)
def test_the_nearest_name_is_found_folder_by_folder(given, meant):
    assert near_path(Path(given)) == (None if meant is None else Path(meant))


@pytest.mark.parametrize(
    ("message", "arguments", "meant"),
    [
        ("solr is not a folder", ["tune", "solr"], "solar"),
        ("no checkpoint at runs/tune-solr. Give", ["predict", "runs/tune-solr", "x"], "runs/tune-solar"),
        ("there is no file lst.csv", ["tune", "solar", "--recipe=lst.csv"], "list.csv"),
        ("the list lst.csv does not exist", ["train", "lst.csv:diagnosis"], "list.csv"),
        ("solr is not an .html file", ["check", "solar", "--out", "solr"], None),
        ("solr2 is not a folder", ["tune", "solr"], None),
        ("solr is unknown. Did you mean solaris?", ["tune", "solr"], None),
        ("solar is empty", ["tune", "solar"], None),
    ],
)  # fmt: skip
def test_a_message_about_a_missing_argument_gets_a_suggestion(message, arguments, meant):
    assert path_suggestion(message, arguments) == ("" if meant is None else f". Did you mean {meant}?")
