"""The walk through a folder: order, links, and the memory of many paths."""

import gc
import os
import weakref

import pytest

from tests.image_sources.samples_memory import samples_memory
from verydeep.image_sources.folders.walk import walk


def touch(*files):
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


@pytest.fixture
def photos(tmp_path):
    names = ("b/2.png", "a/9.png", "a-b/1.png", "a/c/1.png", "a/10.png", "0.png", "a/é.png")
    touch(*(tmp_path / "photos" / name for name in names))
    (tmp_path / "photos" / "empty").mkdir()
    return tmp_path / "photos"


def test_the_files_of_a_folder_come_before_its_subfolders(photos):
    found = walk(photos)
    names = ["0.png", "a/10.png", "a/9.png", "a/é.png", "a/c/1.png", "a-b/1.png", "b/2.png"]
    assert list(found.images) == [photos / name for name in names]
    assert list(found.images.names_below(photos)) == names
    assert [found.images[index] for index in (4, -1)] == [
        photos / "a" / "c" / "1.png",
        photos / "b" / "2.png",
    ]
    assert list(found.images[1:5:2]) == [photos / names[1], photos / names[3]]


def test_images_of_a_folder_are_next_to_each_other(photos):
    images = walk(photos).images
    for folder, indices in images.by_folder():
        assert [images[index].parent for index in indices] == [folder] * len(indices) != []
    assert sum(len(indices) for _, indices in images.by_folder()) == len(images)


def test_a_path_is_that_of_its_file_whatever_bytes_are_in_the_name(tmp_path):
    name = os.fsdecode(b"latin-\xe4.png")
    touch(tmp_path / "photos" / "a" / name)
    (image,) = walk(tmp_path / "photos").images
    assert image.is_file() and image.name == name


def test_an_image_is_found_once_where_its_folder_is_linked_after_it(tmp_path):
    touch(tmp_path / "pool" / "1.png", tmp_path / "pool" / "2.png")
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").symlink_to("../pool/1.png")
    (photos / "b").symlink_to("../pool")
    found = walk(photos)
    real = [image.resolve().name for image in found.images]
    assert sorted(real) == ["1.png", "2.png"] and found.skipped == {"linked again": 1}


def test_a_link_to_a_file_that_is_no_image_by_its_name_is_found_once(tmp_path):
    photos = tmp_path / "photos"
    touch(photos / "a" / "scan", photos / "a" / ".hidden.png")
    (photos / "b").mkdir()
    for target in ("scan", ".hidden.png"):
        for link in ("1", "2"):
            (photos / "b" / f"{target[1:]}-{link}.png").symlink_to(f"../a/{target}")
    found = walk(photos)
    assert {image.resolve().name for image in found.images} == {"scan", ".hidden.png"}
    assert len(found.images) == 2
    assert found.skipped == {"hidden": 1, "without a suffix": 1, "linked again": 2}


def test_paths_are_freed_as_soon_as_nobody_has_them(photos):
    images = walk(photos).images
    names, freed = images.names_below(photos), weakref.ref(images)
    gc.disable()
    try:
        del images
        assert freed() is None and names[0] == "0.png"
    finally:
        gc.enable()


def test_an_image_takes_little_more_memory_than_its_name(tmp_path):
    names = [f"n01440764_{number:05}.JPEG" for number in range(4_000)]
    touch(*(tmp_path / "n01440764" / name for name in names))
    count, kept, most = samples_memory(tmp_path)
    assert count == len(names)
    assert kept < len(names[0]) + 50  # 36 bytes, and what growing arrays have in reserve
    assert most < 400  # here all are in one folder, which is looked through for shards as a whole
