"""Image files in folders and globs."""

import pytest
from PIL import Image

from verydeep.errors import DataError
from verydeep.image_sources.find_images import read_sources
from verydeep.image_sources.folders.read_folder import read_folder
from verydeep.image_sources.image_files import find_files
from verydeep.image_sources.suffixes import IMAGE_SUFFIXES


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
    assert names(photos, read_sources([str(photos)])) == ["[x].png", "c.webp", "a/1.jpg", "b/2.PNG"]


def test_globs_and_files_are_in_order_and_unique(photos):
    paths = [
        f"{photos}/c.*",
        f"{photos}/**/*.jpg",
        f"{photos}/c.webp",
        f"{photos}/notes.txt",
        f"{photos}/[x].png",
    ]
    assert names(photos, read_sources(paths)) == ["c.webp", "a/1.jpg", "notes.txt", "[x].png"]


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
        read_sources([f"{photos}/{path}"])


@pytest.mark.parametrize("read", [lambda folder: read_sources([folder]), read_folder])
def test_a_folder_without_images_is_an_error_that_lists_its_files(tmp_path, read):
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "IMG_1.MOV").touch()
    with pytest.raises(DataError, match=r"It has 1 \.mov"):
        read(tmp_path)


def test_a_heic_photo_is_an_image_that_may_be_unreadable(tmp_path):
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    assert read_sources([tmp_path]) == [tmp_path / "IMG_1.HEIC"]


def test_every_suffix_that_pillow_decodes_is_taken():
    Image.init()
    only_identified = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
    decoded = {
        suffix
        for suffix, name in Image.registered_extensions().items()
        if name in Image.OPEN and name not in only_identified
    }
    assert decoded - IMAGE_SUFFIXES == set()
    assert IMAGE_SUFFIXES - decoded <= {".heic", ".heics", ".heif", ".heifs", ".hif", ".mpo"}


def test_two_stars_in_a_longer_name_are_one(photos):
    (photos / "d.jpg").touch()
    for pattern in ("**.jpg", "***.jpg"):
        assert names(photos, read_sources([f"{photos}/{pattern}"])) == ["d.jpg"]
    assert names(photos, read_sources([f"{photos}/[ab]**/*.jpg"])) == ["a/1.jpg"]


def test_what_a_walk_of_a_glob_passes_over_is_counted(photos):
    found = find_files(f"{photos}/**/*.jpg")
    assert names(photos, found.files) == ["a/1.jpg"]
    assert found.reading.skipped == {".txt": 1, "hidden": 2}
