"""Which images calibrate INT8, which are compared, and what is said about them."""

import json

import numpy as np
import pytest
from PIL import Image

from verydeep.cli.main import main
from verydeep.errors import DataError
from verydeep.export.check_images import given_images
from verydeep.weight_files.checkpoint_file import save

from .conftest import make_network

CLASSES = ("a", "b", "고양이")


def write_images(folder, colors, parts=("",)):
    """A folder of one picture in each color for each class."""
    for part in parts:
        for name in CLASSES:
            (folder / part / name).mkdir(parents=True)
            for color in colors:
                picture = np.full((24, 24, 3), color, dtype=np.uint8)
                Image.fromarray(picture).save(folder / part / name / f"{color}.png")
    return folder


def given(data, run, calibration=None):
    return given_images(
        str(data), CLASSES, run, make_network("gap").preprocess, calibration and str(calibration)
    )


def colors(images):
    return sorted(set(images.pixels.reshape(len(images), -1).max(1).tolist()))


def test_other_images_are_compared_than_calibrate(tmp_path):
    ours, theirs = write_images(tmp_path / "A", range(6)), write_images(tmp_path / "B", range(100, 104))
    images = given(theirs, tmp_path, calibration=ours)
    assert colors(images.calibration) == list(range(6)) and len(images.calibration) == 18
    assert colors(images.check) == list(range(100, 104)) and len(images.check) == 12
    assert images.check.labels is not None and "12 images of B" in images.check.description


@pytest.mark.parametrize("end", ["", "/"])
def test_the_same_images_are_shared_out(tmp_path, end):
    folder = write_images(tmp_path / "A", range(4))
    images = given(folder, tmp_path, calibration=f"{folder}{end}")
    assert (len(images.calibration), len(images.check)) == (6, 6)


def test_without_calibration_all_images_are_compared_and_one_is_enough(tmp_path):
    folder = write_images(tmp_path / "A", range(4))
    images = given(folder, tmp_path)
    assert images.calibration is None and len(images.check) == 12
    one = folder / "a" / "0.png"
    assert len(given(one, tmp_path).check) == 1
    with pytest.raises(DataError, match="the comparison needs one, and INT8 another one"):
        given(one, tmp_path, calibration=one)


def test_test_images_calibrate_nothing(tmp_path):
    folder = write_images(tmp_path / "A", range(4), parts=("test",))
    assert len(given(folder, tmp_path).check) == 12
    with pytest.raises(DataError, match=r"has test images only.* those for --int8, and these for --images"):
        given(folder, tmp_path, calibration=folder)


def test_built_in_images_of_other_classes_are_refused_for_their_classes(tmp_path):
    with pytest.raises(DataError, match=r"synthetic has images of .*; the network's classes are a, b"):
        given("synthetic", tmp_path)


def test_images_of_an_unknown_split_may_be_training_images(tmp_path):
    check = given(write_images(tmp_path / "A", range(4)), tmp_path).check
    assert check.description == "12 images of A, of which some may be training images"
    assert check.note is not None and "data leakage" in check.note


def test_a_test_part_is_known(tmp_path):
    folder = write_images(tmp_path / "A", range(4), parts=("train", "test"))
    check = given(folder, tmp_path).check
    assert (check.description, check.note) == ("12 images of A", None)


@pytest.mark.slow
def test_the_command_compares_on_the_named_images_and_says_what_they_are(tmp_path, capsys):
    save(make_network("gap"), run := tmp_path / "x.safetensors")
    ours, theirs = write_images(tmp_path / "A", range(0, 250, 50)), write_images(tmp_path / "B", (9, 99, 199))
    arguments = [str(run), "--to", "onnx", "--int8", str(ours), "--images", str(theirs), "--allow-loss"]
    assert main(["export", *arguments, "--out", str(tmp_path / "x.onnx"), "--json"]) == 0
    captured = capsys.readouterr()
    parity = json.loads(captured.out)["parity"]
    assert parity["description"] == "9 images of B, of which some may be training images"
    assert parity["accuracy_before"] is not None
    assert "Images: 9 of the 9 images of B: all of them" in captured.err and "data leakage" in captured.err
    arguments = [str(tmp_path / "x.onnx"), "--batch", "1", "--runtimes", "onnxruntime"]
    assert main(["bench", *arguments, "--images", str(theirs)]) == 0
    assert "data leakage" in capsys.readouterr().err
