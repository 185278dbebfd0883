"""The folders that images are sorted into."""

import pytest

from verydeep.errors import DataError
from verydeep.prediction.sort_images import class_folders


def test_the_folder_of_a_class_is_its_name_where_file_systems_allow_it():
    assert class_folders(("cat", "고양이", "a/b", "..")) == {
        "cat": "cat", "고양이": "고양이", "a/b": "a-b", "..": "class",
    }  # fmt: skip


@pytest.mark.parametrize("classes", [("a/b", "a:b"), ("Cat", "cat"), ("caf\u00e9", "cafe\u0301")])
def test_two_classes_never_share_a_folder(classes):
    with pytest.raises(DataError, match="would have the same folder"):
        class_folders(classes)
