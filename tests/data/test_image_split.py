"""The split of a run is found again by the content of the files, or by their names."""

from dataclasses import replace

import pytest

from verydeep.data.content import content_hashes
from verydeep.data.image_split import ImageSplit, other_images_note, read_image_split
from verydeep.errors import DataError
from verydeep.image_sources.open_images import read_samples

from ..data.pictures import picture, save

PARTS = ("train", "val", "test")


@pytest.fixture
def samples(tmp_path):
    for seed in range(3):
        save(picture(seed, 8, 8), tmp_path / "photos" / "a" / f"{seed}.png")
    return replace(read_samples(tmp_path / "photos"), groups=("x", "y", "z"))


def read(tmp_path):
    return read_samples(tmp_path / "photos")


def test_a_split_with_hashes_follows_the_content(samples, tmp_path):
    content = tuple(content_hashes(samples.sources))
    ImageSplit(replace(samples, parts=PARTS), content).write(tmp_path / "split.csv")
    photos = tmp_path / "photos" / "a"
    (photos / "0.png").rename(photos / "3.png")
    save(picture(9, 8, 8), photos / "1.png")
    split = read_image_split(tmp_path / "split.csv", read(tmp_path))
    assert tuple(split.samples.names) == ("a/2.png", "a/3.png")
    assert split.samples.parts == ("test", "train") and split.samples.groups == ("z", "x")
    assert split.content == (content[2], content[0])


def test_a_split_without_hashes_follows_the_names_and_keeps_the_groups_of_the_images(samples, tmp_path):
    ImageSplit(replace(samples, parts=PARTS)).write(tmp_path / "split.csv")
    save(picture(9, 8, 8), tmp_path / "photos" / "a" / "new.png")
    split = read_image_split(tmp_path / "split.csv", replace(read(tmp_path), groups=tuple("klmn")))
    assert split.samples.parts == PARTS and split.samples.groups == ("k", "l", "m")
    assert split.content is None


def test_images_of_which_few_names_are_in_the_split_are_others(samples, tmp_path):
    ImageSplit(replace(samples, parts=PARTS)).write(tmp_path / "split.csv")
    camera = replace(samples, names=("a/0.png", "a/8.png", "a/9.png"))
    assert read_image_split(tmp_path / "split.csv", camera) is None
    assert other_images_note(tmp_path / "split.csv", camera).startswith(
        f"1 of the 3 images of photos have names that are also in the split of {tmp_path}: too few"
    )
    assert read_image_split(tmp_path / "split.csv", camera, least=0.0).samples.parts == ("train",)


def test_other_images_are_in_no_split(samples, tmp_path):
    ImageSplit(replace(samples, parts=PARTS)).write(tmp_path / "split.csv")
    others = replace(samples, names=("a/7.png", "a/8.png", "a/9.png"))
    assert read_image_split(tmp_path / "split.csv", others) is None
    (tmp_path / "split.csv").write_text("name\n")
    with pytest.raises(DataError, match="is not a split"):
        read_image_split(tmp_path / "split.csv", samples)
