"""The folders that images are sorted into."""

import pytest
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import DataError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.prediction.sort_images import class_folders, sort_images


def test_the_folder_of_a_class_is_its_name_where_file_systems_allow_it():
    assert class_folders(("cat", "고양이", "a/b", "..")) == {
        "cat": "cat", "고양이": "고양이", "a/b": "a-b", "..": "class",
    }  # fmt: skip


@pytest.mark.parametrize("classes", [("a/b", "a:b"), ("Cat", "cat"), ("caf\u00e9", "cafe\u0301")])
def test_two_classes_never_share_a_folder(classes):
    with pytest.raises(DataError, match="would have the same folder"):
        class_folders(classes)


def test_what_a_killed_process_left_of_a_copy_is_removed(tmp_path):
    network = build(Architecture.from_string("4 | gap", input=(3, 16, 16), classes=2))
    checkpoint = Checkpoint(network.eval(), Preprocess(size=16, mean=(0.5,) * 3, std=(0.25,) * 3), ("a", "b"))
    Image.new("RGB", (16, 16)).save(tmp_path / "1.png")
    out = tmp_path / "out"
    left = out / checkpoint.classes[0] / ".copy.0123abcd.part"
    left.mkdir(parents=True)
    (left / "copy").write_bytes(b"half an im")
    summary = sort_images(checkpoint, [tmp_path / "1.png"], out)
    assert summary.placed == 1
    assert [file.name for file in out.rglob("*") if file.is_file()] == ["1.png"] and not left.exists()
