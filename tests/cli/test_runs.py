"""``runs``: a table of runs, and JSON for scripts."""

import json
import shutil

import pytest

from verydeep.train.run_folder import RunFolder


def test_runs_are_listed_with_their_accuracy_and_differences(here, trained, tmp_path):
    names = ("first", "second", "third")
    for name, seed in zip(names, (0, 0, 5), strict=True):
        shutil.copytree(trained, tmp_path / name)
        recipe = RunFolder(tmp_path / name).recipe
        recipe.write_text(recipe.read_text().replace("seed = 0", f"seed = {seed}"))
    listed = here("runs", tmp_path)
    assert listed.returncode == 0, listed.stderr
    header, *rows = listed.stdout.splitlines()
    assert header.split() == ["run", "recipe", "data", "network", "epochs", "validation", "test", "training"]
    assert [row.split()[0] for row in rows[:3]] == list(names)
    assert all("synthetic" in row for row in rows[:3])
    assert rows[-1] == "third: seed 5"
    values = json.loads(here("runs", tmp_path, "--json").stdout)
    assert [each["differences"] for each in values] == [{}, {}, {"seed": 5}]
    assert values[0]["test_top1"] is not None and values[0]["settings"]["batch_size"] == 50


def test_a_damaged_run_is_reported(here, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "good")
    shutil.copytree(trained, tmp_path / "bad")
    RunFolder(tmp_path / "bad").model.write_bytes(b"cut")
    listed = here("runs", tmp_path)
    assert listed.returncode == 1
    assert "good" in listed.stdout and "model.safetensors is not a checkpoint" in listed.stderr


def test_without_a_folder_of_runs_the_message_says_so(here, tmp_path):
    listed = here("runs", cwd=tmp_path)
    assert listed.returncode == 2 and "runs is not a folder" in listed.stderr


def test_a_page_and_event_files_are_written_on_request(here, trained, tmp_path):
    pytest.importorskip("tensorboard", reason="needs the extra `tensorboard`")
    shutil.copytree(trained, tmp_path / "runs" / "first")
    page, events = tmp_path / "runs.html", tmp_path / "events"
    listed = here("runs", tmp_path / "runs", "--out", page, "--tensorboard", events)
    assert listed.returncode == 0, listed.stderr
    assert "Page: " in listed.stdout and "Learning curves" in page.read_text()
    assert "tensorboard --logdir" in listed.stderr and list((events / "first").iterdir())


def test_an_output_that_cannot_be_written_is_refused(here, trained, tmp_path):
    listed = here("runs", trained, "--out", tmp_path)
    assert listed.returncode == 2 and "is a folder" in listed.stderr


@pytest.mark.parametrize("command", ["runs", "evaluate"])
def test_a_page_has_the_suffix_of_one_and_replaces_no_other_file(here, trained, tmp_path, command):
    shutil.copytree(trained, tmp_path / "run")
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    data = ["synthetic"] if command == "evaluate" else []
    done = here(command, tmp_path / "run", *data, "--out", tmp_path / "run" / "model.safetensors")
    assert done.returncode == 2
    assert f"give a name such as {tmp_path / 'run' / 'model.html'}" in done.stderr
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before
