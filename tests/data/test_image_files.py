"""Image files in folders and globs."""

import pytest

from verydeep.data.folder import read_folder
from verydeep.data.image_files import image_files
from verydeep.errors import DataError


@pytest.fixture
def photos(tmp_path):
    for name in ("b/2.PNG", "a/1.jpg", "c.webp", "notes.txt", ".hidden.jpg", "a/._1.jpg", "[x].png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "folder.jpg").mkdir()
    return tmp_path


def names(folder, files):
    return [file.relative_to(folder).as_posix() for file in files]


def test_a_folder_is_searched_with_its_subfolders(photos):
    assert names(photos, image_files([str(photos)])) == ["[x].png", "a/1.jpg", "b/2.PNG", "c.webp"]


def test_globs_and_files_are_in_order_and_unique(photos):
    paths = [
        f"{photos}/c.*",
        f"{photos}/**/*.jpg",
        f"{photos}/c.webp",
        f"{photos}/notes.txt",
        f"{photos}/[x].png",
    ]
    assert names(photos, image_files(paths)) == ["c.webp", "a/1.jpg", "notes.txt", "[x].png"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("absent.jpg", "absent.jpg does not exist"),
        ("*.gif", "has no images"),
        ("folder.jpg", "has no images"),
    ],
)
def test_a_path_without_images_is_an_error(photos, path, message):
    with pytest.raises(DataError, match=message):
        image_files([f"{photos}/{path}"])


@pytest.mark.parametrize("read", [lambda folder: image_files([folder]), read_folder])
def test_a_folder_without_images_is_an_error_that_lists_its_files(tmp_path, read):
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "IMG_1.CR2").write_bytes(b"II*\0")
    with pytest.raises(DataError, match=r"There are 1 \.cr2\. Save images as one of these"):
        read(tmp_path)
