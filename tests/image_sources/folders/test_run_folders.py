"""Runs of verydeep among images: neither classes nor parts, whatever is in them."""

from pathlib import Path

import pytest
from PIL import Image

from verydeep.claim import LOCK
from verydeep.compress.journal import RESULT, STATE
from verydeep.image_sources.folders.read_folder import read_folder
from verydeep.image_sources.folders.run_folders import RUN_FILES
from verydeep.train.run_folder import RunFolder


def save(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path)


@pytest.fixture(params=["", "train"], ids=["classes", "parts"])
def photos(tmp_path, request):
    for part in {request.param, request.param and "test"}:
        for label in ("cat", "dog"):
            save(tmp_path / part / label / "1.png")
    return tmp_path


def test_the_files_that_mark_a_run_are_those_of_runs():
    run = RunFolder(Path("run"))
    assert set(RUN_FILES) == {run.tune.name, run.recipe.name, RESULT, STATE}


@pytest.mark.parametrize("run", ["model", "runs/tune-photos", "runs/mine/first"])
@pytest.mark.parametrize("file", [LOCK, *RUN_FILES])
def test_a_run_beside_the_classes_is_no_class(photos, run, file):
    (photos / run).mkdir(parents=True)
    (photos / run / file).touch()
    samples = read_folder(photos)
    assert samples.classes == ("cat", "dog") and not any("run" in key for key in samples.reading.skipped)


def test_pictures_of_a_run_are_counted(photos):
    before = list(read_folder(photos).names)
    for name in ("map.png", "heat maps/1.png"):
        save(photos / "runs" / "tune-photos" / name)
    (photos / "runs" / "tune-photos" / "tune.toml").touch()
    samples = read_folder(photos)
    assert list(samples.names) == before and samples.classes == ("cat", "dog")
    assert samples.reading.skipped["in runs of verydeep"] == 2


def test_a_class_with_a_run_in_it_keeps_its_images(photos):
    before = list(read_folder(photos).names)
    label = next(photos.rglob("cat"))
    save(label / "model" / "map.png")
    (label / "model" / "recipe.toml").touch()
    (label / LOCK).touch()
    assert list(read_folder(photos).names) == before


def test_an_empty_class_is_one(photos):
    (next(photos.rglob("cat")).parent / "bird").mkdir()
    assert read_folder(photos).classes == ("bird", "cat", "dog")
