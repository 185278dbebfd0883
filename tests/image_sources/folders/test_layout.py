"""Layouts of folders: the usual names of parts, wrapped folders, unlabeled parts, links, and refusals."""

import os
import tempfile
import unicodedata
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from verydeep.data.split_parts import with_test_part
from verydeep.errors import DataError
from verydeep.image_sources.find_images import find_images
from verydeep.image_sources.folders.read_folder import read_folder
from verydeep.image_sources.part_names import part_named

NOBODY = 65534
"""The user of Linux to whom no file belongs."""


def fill(folder, count=2, classes=("cat", "dog"), suffix=".png"):
    for label in classes:
        for number in range(count):
            save(folder / label / f"{folder.name}{number}{suffix}")
    return folder


def save(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path, format="PNG")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Train", "train"), ("training_set", "train"), ("trainset", "train"), ("train_images", "train"),
        ("images-train", "train"), ("TrainingData", "train"), ("val2017", "val"), ("valid", "val"),
        ("Validation", "val"), ("dev", "val"), ("test1", "test"), ("TEST_SET", "test"), ("testing", "test"),
        ("PublicTest", "test"), ("cat", None), ("train station", None), ("trained", None), ("protest", None),
        ("train_test", None), ("images", None), ("contest", None),
    ],
)  # fmt: skip
def test_parts_have_many_names(text, part):
    assert part_named(text) == part


@pytest.mark.parametrize(
    ("train", "test"),
    [("training_set", "test_set"), ("Training", "Testing"), ("train", "valid"), ("my_train_1", "my_test_1")],
)
def test_part_folders_are_read_under_all_their_usual_names(tmp_path, train, test):
    fill(tmp_path / train, 4)
    fill(tmp_path / test, 2)
    samples = with_test_part(read_folder(tmp_path), 0.5, 0)
    assert samples.classes == ("cat", "dog")
    assert sorted(samples.parts) == ["test"] * 4 + ["train"] * 8


def test_validation_images_are_the_test_images_where_there_are_no_others(tmp_path):
    fill(tmp_path / "train", 4)
    fill(tmp_path / "val", 3)
    samples = with_test_part(read_folder(tmp_path), 0.5, 0)
    assert (samples.parts.count("test"), samples.parts.count("val")) == (6, 0)
    assert samples.reading.notes == ("no test set was given: the 6 val images are the test images",)


def test_test_images_are_cut_off_where_all_images_are_for_training(tmp_path):
    fill(tmp_path / "train", 4)
    samples = with_test_part(read_folder(tmp_path), 0.25, 0)
    assert (samples.parts.count("train"), samples.parts.count("test")) == (6, 2)
    assert samples.reading.notes == ("no test set was given: 2 of the 8 train images are held out as one",)


@pytest.mark.parametrize("place", ["test", "test/test", "test/unknown"])
def test_an_unlabeled_test_folder_is_left_to_predict(tmp_path, place):
    fill(tmp_path / "train", 4)
    save(tmp_path / place / "1.png")
    samples = read_folder(tmp_path)
    assert set(samples.parts) == {"train"} and samples.classes == ("cat", "dog")
    assert samples.reading.skipped == {"unlabeled in test": 1}
    assert "classify them afterwards: verydeep predict RUN" in samples.reading.notes[0]


def test_a_part_without_images_is_noted(tmp_path):
    fill(tmp_path / "train", 2)
    (tmp_path / "test" / "cat").mkdir(parents=True)
    assert read_folder(tmp_path).reading.notes == (f"{tmp_path / 'test'} has no images",)


@pytest.mark.parametrize("root", ["photos", "a/b/c", "images"])
@pytest.mark.parametrize("parts", [(), ("train", "val"), ("seg_train/seg_train", "seg_test/seg_test")])
def test_classes_and_parts_are_found_inside_further_folders(tmp_path, root, parts):
    for part in parts or ("",):
        fill(tmp_path / root / part)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "1.txt").touch()
    samples = read_folder(tmp_path)
    assert samples.classes == ("cat", "dog")
    assert len({*samples.parts}) == max(1, len(parts))
    assert samples.reading.notes == (f"the classes are in {tmp_path / root}",)
    assert samples.names[0].startswith(f"{root}/")


def test_every_class_may_have_its_own_parts(tmp_path):
    for label in ("cat", "dog"):
        fill(tmp_path / label, 1, ("train", "test"))
    samples = read_folder(tmp_path)
    assert samples.classes == ("cat", "dog") and samples.parts == ("test", "train") * 2


def test_a_class_may_be_called_train(tmp_path):
    fill(tmp_path, 1, ("train", "bus", "car"))
    assert read_folder(tmp_path).classes == ("bus", "car", "train")


def test_a_class_may_have_subfolders(tmp_path):
    for label in ("cat", "dog"):
        fill(tmp_path / label, 1, ("patient_1", "patient_2"))
    assert read_folder(tmp_path).class_sizes == {"cat": 2, "dog": 2}


def test_folders_that_hold_the_same_classes_are_refused(tmp_path):
    fill(tmp_path / "first")
    fill(tmp_path / "second", classes=("cat", "dog", "owl"))
    with pytest.raises(DataError, match=r"first, second in .* hold the same folders \(cat, dog, owl\)"):
        read_folder(tmp_path)


def test_parts_without_class_folders_need_a_list(tmp_path):
    save(tmp_path / "train" / "cat.0.png")
    save(tmp_path / "test1" / "1.png")
    with pytest.raises(DataError, match=r"test1, train in .* have images but no class folders"):
        read_folder(tmp_path)
    (tmp_path / "labels.csv").touch()
    with pytest.raises(DataError, match=r"labels\.csv may be one"):
        read_folder(tmp_path)


def test_what_is_passed_over_is_counted(tmp_path):
    fill(tmp_path / "set", 3)
    for name in ("a.pdf", "cat/b.PDF", "cat/.hidden.png", "Thumbs.db", "dog/notes", "dog/x.(1)", "loose.png"):
        (tmp_path / "set" / name).touch()
    (tmp_path / "set" / "__MACOSX" / "cat").mkdir(parents=True)
    (tmp_path / "set" / "dog" / "gone.png").symlink_to("nowhere.png")
    reading = read_folder(tmp_path / "set").reading
    assert reading.line(6, 2) == (
        "6 images in 2 classes; skipped: 3 hidden, 2 .pdf, 1 beside the class folders, 1 linked to nothing, "
        "1 of other kinds, 1 without a suffix"
    )
    found = find_images([tmp_path / "set"])
    assert len(found.sources) == 7 and found.reading.skipped[".pdf"] == 2


def test_links_are_followed_and_loops_end(tmp_path):
    fill(tmp_path / "set", 2)
    fill(tmp_path / "pool", 3, ("more",))
    (tmp_path / "set" / "cat" / "more").symlink_to(tmp_path / "pool" / "more")
    (tmp_path / "set" / "cat" / "up").symlink_to("..")
    (tmp_path / "set" / "cat" / "above").symlink_to("../..")
    (tmp_path / "set" / "dog" / "up").symlink_to("../cat")
    (tmp_path / "set" / "ant").symlink_to("cat")
    (tmp_path / "set" / "dog" / "again.png").symlink_to("../cat/set0.png")
    samples = read_folder(tmp_path / "set")
    assert samples.class_sizes == {"cat": 5, "dog": 2}
    assert samples.reading.skipped == {"linked again": 5}
    for locations in ([tmp_path / "set"], [f"{tmp_path}/set/**/*.png"], [f"{tmp_path}/set/**"]):
        assert {*find_images(locations).sources} == {*samples.sources}


def test_an_image_is_found_once_whatever_it_is_called(tmp_path, monkeypatch):
    fill(tmp_path, 1)
    monkeypatch.chdir(tmp_path)
    found = find_images(["cat", "./cat/../cat", tmp_path / "cat", f"cat/{tmp_path.name}0.png"])
    assert len(found.sources) == 1 and found.reading.skipped == {"repeated": 3}


def test_class_names_of_macos_are_those_of_other_systems(tmp_path):
    for form, part in (("NFD", "train"), ("NFC", "test")):
        fill(tmp_path / part, 2, [unicodedata.normalize(form, name) for name in ("고양이", "café")])
    assert read_folder(tmp_path).classes == ("café", "고양이")


@pytest.fixture
def folder_of_anyone():
    """A folder that every user may read, as the one of pytest is closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def without_rights_of_root():
    """Root may read everything: for a moment it is a user of no name."""
    user = os.geteuid()
    os.seteuid(user or NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_folder_that_cannot_be_read_is_counted(folder_of_anyone):
    fill(folder_of_anyone, 1)
    (folder_of_anyone / "cat" / "closed").mkdir(mode=0)
    with without_rights_of_root():
        assert read_folder(folder_of_anyone).reading.skipped == {"without permission": 1}


def test_an_image_is_found_by_its_link_where_its_folder_cannot_be_listed(folder_of_anyone):
    fill(folder_of_anyone, 1)
    private = folder_of_anyone / "private"
    private.mkdir()
    (folder_of_anyone / "cat" / f"{folder_of_anyone.name}0.png").rename(private / "1.png")
    (folder_of_anyone / "cat" / "linked.png").symlink_to("../private/1.png")
    private.chmod(0o711)
    with without_rights_of_root():
        samples = read_folder(folder_of_anyone)
    assert samples.class_sizes == {"cat": 1, "dog": 1, "private": 0}
    assert samples.reading.skipped == {"without permission": 1}


def test_a_link_to_a_file_without_permission_is_counted(folder_of_anyone):
    fill(folder_of_anyone, 1)
    private = folder_of_anyone / ".private"
    private.mkdir(mode=0)
    (folder_of_anyone / "cat" / "linked.png").symlink_to("../.private/1.png")
    (folder_of_anyone / "cat" / "long.png").symlink_to("x" * 300)
    (folder_of_anyone / "cat" / "loop.png").symlink_to("loop.png")
    with without_rights_of_root():
        samples = read_folder(folder_of_anyone)
    assert samples.class_sizes == {"cat": 1, "dog": 1}
    assert samples.reading.skipped == {"hidden": 1, "without permission": 1, "linked to nothing": 2}
