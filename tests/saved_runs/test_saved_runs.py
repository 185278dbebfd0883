"""The runs of a folder are found, read, and compared; damaged ones are told."""

import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from verydeep.claim import LOCK, claim_folder
from verydeep.errors import DataError
from verydeep.saved_runs.differences import differences
from verydeep.saved_runs.saved_run import find_runs, read_run
from verydeep.tables.runs_table import run_name
from verydeep.train.run_folder import RunFolder
from verydeep.weight_files.checkpoint_file import load, save


def test_runs_are_found_and_read(runs):
    found = find_runs(runs)
    assert not found.damaged
    one, _, stopped = found.runs
    assert [run.path.name for run in found.runs] == ["one", "two", "stopped"]
    assert (one.command, one.state, one.epochs, stopped.state) == ("train", "finished", 2, "unfinished")
    assert (stopped.epochs, stopped.test_top1, stopped.network) == (0, None, "4 M | gap")
    assert one.data == stopped.data == "synthetic"
    epochs = [json.loads(line) for line in RunFolder(one.path).metrics.read_text().splitlines()]
    assert (one.val_top1, one.seconds) == (epochs[-1]["val_top1"], epochs[-1]["seconds"])
    assert 0 <= one.test_top1 <= 1
    assert one.settings["optimizer.lr"] == 0.02 and one.settings["dropout"] is None


def test_one_run_may_be_given_itself(runs):
    assert find_runs(runs / "cells" / "two").runs == (read_run(runs / "cells" / "two"),)


def test_a_run_that_a_process_works_on_is_running(runs):
    with claim_folder(runs / "stopped"):
        assert read_run(runs / "stopped").state == "running"


def test_a_run_whose_lock_may_not_be_opened_is_read(runs, tmp_path):
    shutil.copytree(runs / "stopped", tmp_path / "stopped")
    (tmp_path / "stopped" / LOCK).mkdir()  # refused to root too, as the file of another user is to others
    found = find_runs(tmp_path)
    assert [run.state for run in found.runs] == ["running"] and not found.damaged


def test_differences_are_from_what_most_runs_have(runs):
    assert differences(find_runs(runs).runs) == ({}, {"epochs": 1, "seed": 7}, {})


def test_runs_of_an_older_version_have_the_defaults_of_what_they_do_not_state(runs, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(runs / "cells" / "one", old)
    recipe = (old / "recipe.toml").read_text()
    (old / "recipe.toml").write_text(recipe.replace("compile = false\n", ""))
    assert differences([read_run(runs / "cells" / "one"), read_run(old)]) == ({}, {})


@pytest.mark.parametrize(
    ("file", "content"),
    [("recipe.toml", "epochs ="), ("metrics.jsonl", "[1]\n"), ("model.safetensors", "no tensors")],
)
def test_a_damaged_run_is_told_and_the_others_are_read(runs, tmp_path, file, content):
    for name in ("good", "bad"):
        shutil.copytree(runs / "cells" / "one", tmp_path / name)
    (tmp_path / "bad" / file).write_text(content)
    found = find_runs(tmp_path)
    assert [run.path.name for run in found.runs] == ["good"]
    (problem,) = found.damaged
    assert str(tmp_path / "bad" / file) in problem and "\n" not in problem


@pytest.mark.parametrize(("key", "value"), [("test_top1", "high"), ("data", 3), ("strategy", ["tune"])])
def test_a_run_with_an_origin_of_another_kind_is_told(runs, tmp_path, key, value):
    for name in ("good", "bad"):
        shutil.copytree(runs / "cells" / "one", tmp_path / name)
    network = load(tmp_path / "bad")
    save(replace(network, origin={**network.origin, key: value}), tmp_path / "bad/model.safetensors")
    found = find_runs(tmp_path)
    assert [run.path.name for run in found.runs] == ["good"]
    assert f"has {key} = {value!r}" in found.damaged[0]


def test_a_run_is_named_by_its_folder_from_inside_of_it_too(runs, monkeypatch):
    monkeypatch.chdir(runs / "cells" / "two")
    (run,) = find_runs(Path()).runs
    assert run_name(run, Path()) == "two"


def test_a_folder_that_cannot_be_read_is_told(runs, monkeypatch):
    def iterdir(path):
        if path.name == "cells":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return original(path)

    original = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", iterdir)
    found = find_runs(runs)
    assert [run.path.name for run in found.runs] == ["stopped"]
    assert found.damaged == (f"[Errno 13] Permission denied: '{runs / 'cells'}'",)


def test_a_recipe_alone_is_no_run_and_hides_none(runs, tmp_path):
    shutil.copytree(runs / "cells" / "one", tmp_path / "project" / "one")
    shutil.copy(runs / "cells" / "one" / "recipe.toml", tmp_path / "project")
    assert [run.path.name for run in find_runs(tmp_path).runs] == ["one"]


def test_reading_runs_writes_nothing(runs):
    before = sorted((each, each.stat().st_mtime_ns) for each in runs.rglob("*"))
    find_runs(runs)
    assert sorted((each, each.stat().st_mtime_ns) for each in runs.rglob("*")) == before


def test_no_runs_is_an_error(tmp_path):
    with pytest.raises(DataError, match="has no runs"):
        find_runs(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        find_runs(tmp_path / "runs")
