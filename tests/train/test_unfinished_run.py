"""A run that ends anywhere is completed by the same call; a second process is refused."""

import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from verydeep.claim import LOCK, claim_folder
from verydeep.data import synthetic
from verydeep.errors import CheckpointError, InUseError, RecipeError
from verydeep.train.recipe import Recipe
from verydeep.train.run_folder import RunFolder
from verydeep.train.train import new_start, resume_training, train_network
from verydeep.train.unfinished_run import (
    begin,
    claimed_run,
    finish,
    latest_unfinished_run,
    next_run_path,
    read_start,
    run_path,
    start_over,
)

DATA = synthetic.dataset(40, 20, size=16, classes=2)
RECIPE = Recipe(model="8 M | gap", norm="batch", epochs=2, batch_size=20, precision="fp32")


class KilledError(Exception):
    """Stands for the end of the process."""


def train(path, recipe=RECIPE, **more):
    return train_network(recipe, DATA, path, device="cpu", **more)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = train(tmp_path_factory.mktemp("runs") / "whole").run
    return load_file(RunFolder(run).model)


def assert_complete(path, whole):
    tensors = load_file(RunFolder(path).model)
    assert all(torch.equal(tensor, whole[name]) for name, tensor in tensors.items())
    names = sorted(file.name for file in path.iterdir())
    assert names == ["metrics.jsonl", "model.safetensors", "recipe.toml"]


def test_a_run_that_ends_before_its_report_is_completed_with_it(tmp_path, whole):
    def kill(result):
        raise KilledError

    with pytest.raises(KilledError):
        train(tmp_path / "run", report=kill)
    assert RunFolder(tmp_path / "run").model.exists()
    reported = []
    for call in (train, lambda path, report: resume_training(DATA, path, device="cpu", report=report)):
        shutil.copytree(tmp_path / "run", tmp_path / "copy")
        result = call(tmp_path / "copy", report=reported.append)
        assert reported.pop() is result and len(result.epochs) == 2
        assert_complete(tmp_path / "copy", whole)
        shutil.rmtree(tmp_path / "copy")


def test_a_run_that_ends_after_its_start_was_saved_is_continued(tmp_path, whole):
    with claimed_run(tmp_path / "run") as folder:
        begin(folder, new_start(RECIPE, DATA))
    train(tmp_path / "run")
    assert_complete(tmp_path / "run", whole)


def test_a_run_that_ends_before_its_start_was_saved_begins_anew(tmp_path, whole):
    part = tmp_path / "run" / "state" / ".start.json.0123abcd.part"
    part.mkdir(parents=True)
    (tmp_path / "run" / ".lock").touch()
    assert next_run_path(tmp_path, "run") == tmp_path / "run"
    part.mkdir(parents=True)
    train(tmp_path / "run")
    assert_complete(tmp_path / "run", whole)


def test_what_a_killed_process_left_of_a_finished_run_is_removed(tmp_path, whole):
    train(tmp_path / "run")
    left = tmp_path / "run" / ".state.0123abcd.part"
    left.mkdir()
    (left / "state.pt").touch()
    with pytest.raises(RecipeError, match=r"holds a finished run\. Give another --out"):
        train(tmp_path / "run")
    assert_complete(tmp_path / "run", whole)


def test_a_second_process_is_refused_and_changes_nothing(tmp_path):
    with claim_folder(tmp_path / "run"):
        with pytest.raises(InUseError, match="another process is writing to"):
            train(tmp_path / "run")
        with pytest.raises(InUseError):
            start_over(tmp_path / "run")
        assert next_run_path(tmp_path, "run") == tmp_path / "run-2"


def test_the_run_of_the_same_command_is_found_unless_it_is_in_use(tmp_path):
    start = new_start(RECIPE, DATA)
    assert run_path(tmp_path, "run", start) == tmp_path / "run"
    with claimed_run(tmp_path / "run") as folder:
        begin(folder, start)
        assert run_path(tmp_path, "run", start) == tmp_path / "run-2"
    assert run_path(tmp_path, "run", new_start(RECIPE, DATA)) == tmp_path / "run"
    for other in (replace(RECIPE, seed=1), replace(RECIPE, size=8)):
        assert run_path(tmp_path, "run", new_start(other, DATA)) == tmp_path / "run-2"


@pytest.fixture
def closed(tmp_path, monkeypatch):
    """A run that another user has begun by the same command, in a folder that only they may read."""
    with claimed_run(tmp_path / "run") as folder:
        begin(folder, new_start(RECIPE, DATA))
    status = Path.stat

    def refuse(path, **how):
        if path.parent.is_relative_to(tmp_path / "run"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return status(path, **how)

    monkeypatch.setattr(Path, "stat", refuse)
    return tmp_path


def test_a_folder_that_may_not_be_read_is_passed_over(closed):
    start = new_start(RECIPE, DATA)
    assert run_path(closed, "run", start) == next_run_path(closed, "run") == closed / "run-2"
    with pytest.raises(CheckpointError, match="no unfinished run of `verydeep train`"):
        latest_unfinished_run(closed, "train")


@pytest.mark.parametrize("is_unfinished", [True, False])
def test_a_run_that_may_not_be_written_to_is_passed_over(tmp_path, is_unfinished):
    with claimed_run(tmp_path / "run") as folder:
        begin(folder, new_start(RECIPE, DATA))
        if not is_unfinished:
            finish(folder)
            folder.model.touch()
    (tmp_path / "run" / LOCK).mkdir()  # refused to root too, as the file of another user is to others
    assert run_path(tmp_path, "run", new_start(RECIPE, DATA)) == tmp_path / "run-2"
    assert next_run_path(tmp_path, "run") == tmp_path / "run-2"


def test_a_folder_without_permission_to_write_is_passed_over(tmp_path, monkeypatch):
    with claimed_run(tmp_path / "run") as folder:
        begin(folder, new_start(RECIPE, DATA))
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "run")
    assert run_path(tmp_path, "run", new_start(RECIPE, DATA)) == tmp_path / "run-2"


def test_another_recipe_is_refused_and_start_over_makes_room(tmp_path):
    with claimed_run(tmp_path / "run") as folder:
        begin(folder, new_start(RECIPE, DATA))
    (tmp_path / "run" / "notes.txt").touch()
    with pytest.raises(RecipeError, match=r"default of --size, not --size 8; --seed 0, not --seed 3"):
        train(tmp_path / "run", replace(RECIPE, seed=3, size=8))
    (tmp_path / "run" / "doubtful-labels.csv").write_text("name,label\n")  # of `tune`, killed at its end
    start_over(tmp_path / "run")
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["notes.txt"]
    with pytest.raises(RecipeError, match="is not empty"):
        train(tmp_path / "run")


@pytest.mark.parametrize("change", [{"job": "dance"}, {"config": "["}, {"data": 3}, {"started": None}])
def test_a_damaged_start_is_named(tmp_path, change):
    with claimed_run(tmp_path / "run") as folder:
        begin(folder, new_start(RECIPE, DATA))
    values = json.loads(folder.start.read_text()) | change
    folder.start.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=r"start\.json is damaged: .* Start over with --new"):
        train(tmp_path / "run")


def test_a_full_disk_is_found_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 100))
    with pytest.raises(OSError, match="the disk is full") as caught:
        train(tmp_path / "run")
    assert caught.value.filename == str(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_metrics_with_too_few_epochs_are_named(tmp_path):
    def kill(result):
        (tmp_path / "run" / "metrics.jsonl").write_text("")
        raise KilledError

    with pytest.raises(KilledError):
        train(tmp_path / "run", report=kill)
    with pytest.raises(CheckpointError, match="is damaged: it has 0 of the 2 epochs that were trained"):
        train(tmp_path / "run")


def test_a_run_on_a_folder_whose_name_is_not_utf_8_is_found_again(tmp_path):
    start = replace(new_start(RECIPE, DATA), data=os.fsdecode(b"photos-\xb0"))
    with claimed_run(tmp_path / "run") as folder:
        begin(folder, start)
    assert read_start(folder) == start
