"""Labeled images of an evaluation: their small pictures on the page."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from verydeep.data.content import content_hashes
from verydeep.data.split_file import write_split
from verydeep.errors import DataError
from verydeep.evaluate.labeled_images import read_labeled
from verydeep.image_sources.open_images import read_samples

from ..data.pictures import picture, save

PARTS = ("train", "val", "test")


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
    assert others.description.endswith(
        "all of them, as there is no test part; if the network was trained on some of them, the result is "
        f"too good (data leakage); none of the 4 images of others is in the split of {tmp_path}"
    )


@pytest.fixture
def split(tmp_path):
    """One image of each part and class, and the split of them in a run folder."""
    for seed, name in enumerate(f"{label}/{part}.png" for label in ("cat", "dog") for part in PARTS):
        save(picture(seed, 8, 8), tmp_path / "photos" / name)
    samples = read_samples(tmp_path / "photos")
    samples = replace(samples, parts=tuple(Path(name).stem for name in samples.names))
    write_split(samples, tmp_path / "split.csv", content_hashes(samples.sources))
    return tmp_path


@pytest.mark.parametrize(
    ("part", "strategy", "reason"),
    [
        (
            "all",
            "fine-tune",
            "all of its parts, also those that the network was trained on, so the",
        ),
        (
            "train",
            "fine-tune",
            "the train part, as kept by the run; the network was trained on it, so",
        ),
        (
            "val",
            "linear-probe",
            "the val part, as kept by the run; the network was trained on it, so",
        ),
        ("val", "fine-tune", "the val part, as kept by the run"),
        ("test", "linear-probe", "the test part, as kept by the run"),
    ],
)
def test_images_that_the_network_was_trained_on_are_said_to_be(split, part, strategy, reason):
    images = read_labeled(str(split / "photos"), ("cat", "dog"), split, part, origin={"strategy": strategy})
    assert images.trained_on == (("train", "val") if strategy == "linear-probe" else ("train",))
    _, _, found = images.description.partition(" images of photos: ")
    assert found == reason or (found.startswith(reason) and found.endswith("too good (data leakage)"))


def test_another_split_beside_a_weight_file_is_not_read(split):
    (split / "split.csv").write_text("epoch,loss\n1,0.5\n")
    images = read_labeled(str(split / "photos"), ("cat", "dog"), split / "net.pth")
    assert (len(images), images.part) == (6, "all")
    with pytest.raises(DataError, match="is not a split: expected the columns name, label"):
        read_labeled(str(split / "photos"), ("cat", "dog"), split)


def test_the_split_of_a_run_is_that_of_the_files_in_it(split):
    for file in ("model.safetensors", "model.onnx"):
        assert read_labeled(str(split / "photos"), ("cat", "dog"), split / file).part == "test"


def test_images_of_which_few_have_a_name_of_the_split_are_others_but_where_the_run_was_trained(tmp_path):
    names = [f"{label}/IMG_000{number}.png" for number in range(3) for label in ("cat", "dog")]
    for seed, name in enumerate(names):
        save(picture(seed, 8, 8), tmp_path / "photos" / name)
    samples = read_samples(tmp_path / "photos")
    earlier = replace(samples.select(np.array([0, 3])), parts=("test", "test"))
    write_split(earlier, tmp_path / "split.csv")

    data = str(tmp_path / "photos")
    others = read_labeled(data, ("cat", "dog"), tmp_path)
    assert len(others) == 6
    assert (
        f"; 2 of the 6 images of photos have names that are also in the split of {tmp_path}"
        in others.description
    )
    added = read_labeled(data, ("cat", "dog"), tmp_path, origin={"data": data})
    assert (len(added), added.part) == (2, "test")


def test_parts_by_folder_may_be_evaluated_together(tmp_path):
    for seed, part in enumerate(("train", "test")):
        for label in ("cat", "dog"):
            save(picture(seed, 8, 8), tmp_path / "photos" / part / label / "1.png")
    images = read_labeled(str(tmp_path / "photos"), ("cat", "dog"), tmp_path / "net.pth", "all")
    assert (
        "4 of the 4 images of photos: all of its parts; if the network was trained on" in images.description
    )
