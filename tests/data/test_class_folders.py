"""The names of folders that hold the images of one class each."""

import pytest

from verydeep.data.class_folders import class_folders, numbered_class_folders
from verydeep.errors import DataError
from verydeep.file_name import same_name
from verydeep.weights.class_names import imagenet_classes


def test_the_folder_of_a_class_is_its_name_where_file_systems_allow_it():
    assert class_folders(("cat", "고양이", "a/b", "..")) == {
        "cat": "cat", "고양이": "고양이", "a/b": "a-b", "..": "class",
    }  # fmt: skip


@pytest.mark.parametrize("classes", [("a/b", "a:b"), ("Cat", "cat"), ("caf\u00e9", "cafe\u0301")])
def test_two_classes_never_share_a_folder(classes):
    with pytest.raises(DataError, match="would have the same folder"):
        class_folders(classes)


def test_of_classes_that_would_share_a_folder_the_later_ones_have_a_number():
    assert numbered_class_folders(("a-2", "a/b", "a:b", "A-b", "A", "a", "a-2", "a-b-2")) == {
        "a-2": "a-2", "a/b": "a-b", "a:b": "a-b-2", "A-b": "A-b-3", "A": "A", "a": "a-3", "a-b-2": "a-b-2-2",
    }  # fmt: skip


def test_all_classes_of_imagenet_have_a_folder():
    classes = imagenet_classes()
    with pytest.raises(DataError):
        class_folders(classes)
    folders = numbered_class_folders(classes)
    assert set(folders) == set(classes)
    assert len({same_name(folder) for folder in folders.values()}) == len(folders)
    assert {name: folder for name, folder in folders.items() if folder.endswith("-2")} == {
        "cardigan": "cardigan-2"
    }
