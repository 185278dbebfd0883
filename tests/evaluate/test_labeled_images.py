"""Labeled images of an evaluation: their small pictures on the page."""

import shutil
from dataclasses import replace

from PIL import Image

from verydeep.data.content import content_hashes
from verydeep.data.split_file import write_split
from verydeep.evaluate.labeled_images import read_labeled
from verydeep.image_sources.open_images import read_samples

from ..data.pictures import picture, save


def test_the_small_picture_of_a_wide_file_shows_all_of_it(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        picture = Image.new("RGB", (400, 100), "black")
        picture.paste((250, 0, 0), (360, 0, 400, 100))  # outside the center square
        picture.save(tmp_path / "images" / name / "1.png")
    images = read_labeled(str(tmp_path / "images"), ("cat", "dog"), tmp_path)
    red, green, blue = images.thumbnail(0)
    side = red.shape[0]
    assert red.shape == (side, side)
    assert red[side // 2, -5:].min() == 250 and green[side // 2, -5:].max() == 0
    assert green[0].min() == blue[-1].min() == 255  # white above and below


def test_the_split_of_a_run_follows_renamed_images_and_is_not_that_of_others_of_the_same_names(tmp_path):
    for seed, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")):
        save(picture(seed, 8, 8), tmp_path / "photos" / name)
        save(picture(seed + 4, 8, 8), tmp_path / "others" / name)
    samples = replace(read_samples(tmp_path / "photos"), parts=("train", "test", "train", "test"))
    write_split(samples, tmp_path / "split.csv", content_hashes(samples.sources))
    shutil.move(tmp_path / "photos/cat/2.png", tmp_path / "photos/cat/moved.png")

    same = read_labeled(str(tmp_path / "photos"), ("cat", "dog"), tmp_path)
    assert tuple(same.source.names) == ("cat/moved.png", "dog/2.png")
    assert same.description == "2 of the 4 images of photos: the test part, as kept by the run"
    others = read_labeled(str(tmp_path / "others"), ("cat", "dog"), tmp_path)
    assert (len(others), others.part) == (4, "all")
