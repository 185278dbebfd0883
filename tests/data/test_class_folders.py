"""The names of folders that hold the images of one class each."""

import pytest

from verydeep.data.class_folders import class_folders
from verydeep.errors import DataError


def test_the_folder_of_a_class_is_its_name_where_file_systems_allow_it():
    assert class_folders(("cat", "고양이", "a/b", "..")) == {
        "cat": "cat", "고양이": "고양이", "a/b": "a-b", "..": "class",
    }  # fmt: skip


@pytest.mark.parametrize("classes", [("a/b", "a:b"), ("Cat", "cat"), ("caf\u00e9", "cafe\u0301")])
def test_two_classes_never_share_a_folder(classes):
    with pytest.raises(DataError, match="would have the same folder"):
        class_folders(classes)
