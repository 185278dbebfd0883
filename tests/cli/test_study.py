"""The command ``study``."""

import json

import pytest

from verydeep.cli.study.command import default_folder

from ..train.folders import write_folder


def test_without_a_name_it_lists_the_studies(here):
    done = here("study")
    assert done.returncode == 0, done.stderr
    assert "does accuracy rise with depth" in " ".join(done.stdout.split())
    assert json.loads(here("study", "--json").stdout)[0]["name"] == "depth"


def test_an_unknown_study_is_a_usage_error(here):
    done = here("study", "dept")
    assert done.returncode == 2
    assert "Did you mean depth?" in done.stderr


def test_weights_are_for_transfer_alone(here):
    done = here("study", "depth", "--data", "synthetic", "--weights", "vgg16")
    assert done.returncode == 2
    assert "--weights is for transfer" in done.stderr


def test_data_that_is_neither_built_in_nor_there_is_a_usage_error(here):
    done = here("study", "depth", "--data", "fashion-mnits")
    assert done.returncode == 2
    assert "Did you mean fashion-mnist?" in done.stderr


def test_own_images_are_for_transfer_with_weights(here, tmp_path):
    write_folder(tmp_path / "photos", (12, 12))
    for name in ("depth", "transfer"):
        done = here("study", name, "--data", tmp_path / "photos")
        assert done.returncode == 2
        assert "--data PHOTOS --weights vgg16" in done.stderr


@pytest.mark.parametrize(
    ("data", "weights", "full", "folder"),
    [
        ("fashion-mnist", None, False, "transfer"),
        ("cifar10", None, True, "transfer-cifar10-full"),
        ("my/photos/", "w/vgg16.pth", False, "transfer-photos-vgg16"),
        ("photos 2024", None, False, "transfer-photos-2024"),
    ],
)
def test_what_a_study_is_about_is_in_the_name_of_its_folder(data, weights, full, folder):
    assert default_folder("transfer", data, weights, full).as_posix() == f"studies/{folder}"


def test_a_study_runs_once_and_writes_all_files(verydeep, here, tmp_path):
    arguments = ("study", "split", "--data", "synthetic", "--seeds", "1", "--out", tmp_path / "split")
    done = verydeep(*arguments, "--workers", "1", "--json")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert values["study"] == "split" and len(values["outcomes"]) == 2
    assert "1/2 · different-splits-seed-0-split-0 · test" in done.stderr
    assert sorted(path.name for path in (tmp_path / "split").iterdir()) == [
        "runs", "study.html", "study.json", "study.md",
    ]  # fmt: skip
    page = (tmp_path / "split" / "study.html").read_text()
    assert values["conclusion"] in page
    again = json.loads(here(*arguments, "--json").stdout)
    assert again["outcomes"] == values["outcomes"]  # the seconds too: no run was repeated
    read = here(*arguments)
    assert values["conclusion"] in read.stdout and "different seeds" in read.stdout
