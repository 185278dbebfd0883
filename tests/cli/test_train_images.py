"""``train`` on your own images: a folder, a list, shards; their split, and images that cannot be read."""

import csv
import json
import shutil
import tomllib

import pytest

from tests.train.folders import write_folder
from verydeep.train.recipe import read_recipe

from .conftest import TINY_FLAGS


def read_split(run):
    with (run / "split.csv").open(newline="") as opened:
        return list(csv.DictReader(opened))


def parts_of_groups(run):
    parts = {}
    for row in read_split(run):
        parts.setdefault(row["group"], set()).add(row["part"])
    return parts


@pytest.fixture(scope="module")
def listed(shapes, tmp_path_factory):
    """``list.csv`` with the columns file, label and photo; three quarters of its images are circles."""
    path = tmp_path_factory.mktemp("list") / "list.csv"
    circles, squares = (sorted((shapes / name).iterdir()) for name in ("circle", "square"))
    rows = [(file, file.parent.name, file.name.split("_")[1]) for file in (*circles, *squares[:10])]
    with path.open("w", newline="") as opened:
        csv.writer(opened).writerows([("file", "label", "photo"), *rows])
    return path


def test_a_folder_becomes_a_run_that_evaluates_and_predicts(here, shapes, tmp_path):
    done = here("train", shapes, *TINY_FLAGS, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    values, run = json.loads(done.stdout), tmp_path / "runs" / "scratch-shapes"
    assert values["run"] == "runs/scratch-shapes"
    assert values["notes"] == ["images are resized to 16 px, as given by --size"]
    assert sorted(path.name for path in run.iterdir()) == [
        "metrics.jsonl", "model.safetensors", "recipe.toml", "report.html", "split.csv",
    ]  # fmt: skip
    rows = read_split(run)
    parts = [row["part"] for row in rows]
    assert len(rows) == 60 and {row["label"] for row in rows} == {"circle", "square"}
    assert [parts.count(part) for part in ("train", "val", "test")] == [38, 10, 12]
    for part in (("--part", "test"), ()):
        evaluated = json.loads(here("evaluate", run, shapes, *part, "--json").stdout)
        assert (evaluated["part"], evaluated["images"]) == ("test", 12)
        assert evaluated["top1"] == values["test_top1"]
        assert evaluated["balanced_accuracy"] == pytest.approx(values["test_balanced_accuracy"])
    predicted = json.loads(here("predict", run, shapes / "circle", "--json").stdout)
    assert len(predicted) == 30 and {row["label"] for row in predicted} <= {"circle", "square"}


@pytest.mark.slow
def test_the_next_run_has_a_folder_of_its_own(here, shapes, tmp_path):
    for name in ("scratch-shapes", "scratch-shapes-2"):
        done = here("train", shapes, *TINY_FLAGS, cwd=tmp_path)
        assert done.returncode == 0 and f"Report: runs/{name}/report.html" in done.stdout, done.stderr


def test_a_list_is_split_by_a_column_and_balanced_by_loss_weights(here, listed, tmp_path):
    run = tmp_path / "run"
    flags = ("--validation", "0.3", "--group-by", "photo", "--balance", "weights", "--out", run, "--json")
    done = here("train", listed, *TINY_FLAGS, *flags)
    assert done.returncode == 0, done.stderr
    assert {len(parts) for parts in parts_of_groups(run).values()} == {1}
    parts = [row["part"] for row in read_split(run)]
    assert parts.count("val") == pytest.approx(0.3 * (40 - parts.count("test")), abs=2)
    assert tomllib.loads((run / "recipe.toml").read_text())["balance"] == "weights"
    evaluated = json.loads(here("evaluate", run, listed, "--part", "test", "--json").stdout)
    assert evaluated["top1"] == json.loads(done.stdout)["test_top1"]


@pytest.mark.slow
@pytest.mark.parametrize("balance", ["weights", "sampler", "logit-adjust"])
def test_class_imbalance_changes_what_is_learned(here, listed, tmp_path, balance):
    losses = []
    for name in ("none", balance):
        flags = ("--balance", name, "--epochs", 1, "--out", tmp_path / name)
        assert here("train", listed, *TINY_FLAGS[:4], *flags).returncode == 0
        losses.append(json.loads((tmp_path / name / "metrics.jsonl").read_text())["train_loss"])
    assert losses[0] != losses[1]


def test_names_that_match_a_pattern_stay_together(here, shapes, tmp_path):
    run = tmp_path / "run"
    done = here("train", shapes, *TINY_FLAGS, "--group-by", "photo_[0-9]+", "--out", run)
    assert done.returncode == 0, done.stderr
    assert [len(parts) for parts in parts_of_groups(run).values()] == [1] * 20


def test_without_validation_all_images_but_the_test_images_are_trained_on(here, shapes, tmp_path):
    run = tmp_path / "run"
    done = here("train", shapes, *TINY_FLAGS, "--validation", "0", "--keep", "last", "--out", run)
    assert done.returncode == 0, done.stderr
    assert "48 images; into" in done.stderr and " · validation " not in done.stderr
    assert {row["part"] for row in read_split(run)} == {"train", "test"}
    assert "was kept" not in done.stdout


def test_folders_of_train_and_test_images_are_the_split(here, shapes, tmp_path):
    for part, wanted in (("train", range(20)), ("test", range(20, 30))):
        for name in ("circle", "square"):
            (tmp_path / "parts" / part / name).mkdir(parents=True)
            files = sorted((shapes / name).iterdir())
            for number in wanted:
                shutil.copy(files[number], tmp_path / "parts" / part / name)
    done = here("train", tmp_path / "parts", *TINY_FLAGS, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    parts = [row["part"] for row in read_split(tmp_path / "run")]
    assert [parts.count(part) for part in ("train", "val", "test")] == [32, 8, 20]


def test_unreadable_images_are_noted_and_not_in_the_split(here, shapes, tmp_path):
    folder, run = tmp_path / "shapes", tmp_path / "run"
    shutil.copytree(shapes, folder)
    (folder / "circle" / "broken.png").write_bytes(b"no image")
    (folder / "square" / "empty.png").write_bytes(b"")
    done = here("train", folder, *TINY_FLAGS, "--out", run)
    assert done.returncode == 0, done.stderr
    note = next(line for line in done.stdout.splitlines() if "cannot be read" in line)
    assert note.startswith("Note: 2 of 62 images cannot be read and are left out: ")
    assert "broken.png is not an image" in note and f"`verydeep data check {folder}` lists all" in note
    assert len(read_split(run)) == 60
    page = (run / "report.html").read_text()
    assert "2 of 62 images cannot be read" in page and "seed 0" in page
    evaluated = here("evaluate", run, folder, "--json")
    assert evaluated.returncode == 0 and json.loads(evaluated.stdout)["broken"] == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--group-by", "drawing"), "the pattern 'drawing' does not match"),
        (("--group-by", "photo_("), "not a regular expression"),
        (("--validation", "1"), "validation is 1.0: input should be less than 1"),
        (("--test", "0"), "test is 0.0: input should be greater than 0"),
        (("--test", "0.99"), "none of the 2 images can be held out"),
        (("--device", "quantum"), '"quantum" for --device'),
        (("--model", "8 Q"), "token 2 of '8 Q' is 'Q'"),
        (("--size", "1"), "needs at least 8 x 8 px"),
        (("--size", "16", "--size", "32"), "--size specified multiple times"),
    ],
)
def test_usage_errors_exit_with_2_and_write_nothing(here, shapes, tmp_path, flags, message):
    failed = here("train", shapes, *flags, cwd=tmp_path)
    assert failed.returncode == 2, failed.stderr
    assert message in " ".join(failed.stderr.split()) and "Traceback" not in failed.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_with_one_class_is_refused(here, shapes, tmp_path):
    shutil.copytree(shapes / "circle", tmp_path / "one" / "circle")
    failed = here("train", tmp_path / "one", *TINY_FLAGS, "--out", tmp_path / "run")
    assert failed.returncode == 2 and "one has one class, circle" in failed.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("recipe", ["imagenet", "imagenet-paper"])
def test_the_recipes_of_imagenet_are_estimated_on_drawn_images_and_nothing_is_written(
    here, monkeypatch, tmp_path, recipe
):
    monkeypatch.setattr("verydeep.train.estimate.LEAST_SECONDS", 0.2)
    folder = write_folder(tmp_path / "images", (40, 40), size=48)
    done = here(
        "train", folder, "--recipe", recipe, "--estimate", "--json", "--size", 32, "--batch-size", 16,
        "--model", "8 M 16 M | gap", "--stream", "on", "--validation", 0.2, "--test", 0.2, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert values["epochs"] == read_recipe(recipe).epochs
    assert values["seconds"] == pytest.approx(
        values["epochs"] * values["images"] / values["images_per_second"]
    )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["images"]
