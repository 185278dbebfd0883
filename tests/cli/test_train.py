"""``train`` on a built-in data set, and ``recipes``, as a user meets them."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from dataclasses import replace

import pytest

from verydeep.terminal.training_progress import epoch_line
from verydeep.train.epoch_result import EpochResult
from verydeep.train.recipe import to_toml

from .conftest import TINY


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "tiny.toml").write_text(to_toml(TINY))
    return tmp_path / "tiny.toml"


def test_the_output_is_the_documented_json(verydeep, recipe, tmp_path):
    done = verydeep(
        "train", "synthetic", "--recipe", recipe, "--out", tmp_path / "run", "--seed", 3, "--json"
    )
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert list(values) == [
        "run", "model", "test_top1", "test_balanced_accuracy", "seconds", "wall_seconds", "epochs",
        "parameters", "notes",
    ]  # fmt: skip
    assert 0 <= values["test_top1"] <= 1 and 0 < values["seconds"] < values["wall_seconds"]
    assert 0 <= values["test_balanced_accuracy"] <= 1
    assert values["epochs"] == 1 and values["notes"] == []
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "metrics.jsonl", "model.safetensors", "recipe.toml", "report.html",
    ]  # fmt: skip
    page = (tmp_path / "run" / "report.html").read_text()
    assert "seed 3" in page and "verydeep train synthetic" in page
    assert "epoch 1/1" in done.stderr and "1,466 parameters" in done.stderr


@pytest.mark.slow
def test_flags_come_before_the_recipe(here, recipe, tmp_path):
    run = tmp_path / "run"
    done = here(
        "train", "synthetic", "--recipe", recipe, "--out", run, "--optimizer.lr", "0.03", "--augment.shift", 2
    )
    assert done.returncode == 0, done.stderr
    saved = (run / "recipe.toml").read_text()
    assert "lr = 0.03" in saved and "shift = 2" in saved
    assert "Test accuracy" in done.stdout and "report.html" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "mnist"), "fashion-mnist, cifar10, cifar100, synthetic"),
        (("train", "synthetic", "--recipe", "fats"), "Did you mean fast?"),
        (("train", "synthetic", "--epochs", "0"), "epochs is 0: input should be greater than 0"),
        (("train", "synthetic", "--model", "vgg17"), "Did you mean vgg1"),
        (("train", "synthetic", "--model", "vgg16"), "needs at least 32 x 32 px"),
        (
            ("train", "synthetic", "--resume", "--epochs", "3"),
            "no unfinished run of `verydeep train` in runs",
        ),
        (("train", "synthetic", "--resume", "--new"), "--resume continues a run and --new starts over"),
        (("train", "synthetic", "--resume"), "no unfinished run of `verydeep train` in runs"),
        (("train", "synthetic", "--resume", "--out", "nowhere"), "nowhere holds no run"),
        (("train", "synthetic", "--epochs", "many"), "--epochs; expected a whole number or auto"),
        (("train", "synthetic", "--optimizer.lr", "high"), "--optimizer.lr; expected a number"),
        (("train", "synthetic", "--lr", "0.1"), "--lr. Did you mean --optimizer.lr?"),
        (("train", "synthetic", "--balance", "weight"), 'Did you mean "weights"?'),
        (("train", "my", "photos"), 'argument "photos". Quote a value that contains spaces'),
        (("train", "synthetic", "--keep", "best"), "keep = best needs validation images"),
        (("train", "synthetic", "--freeze", "1"), "there are no weights"),
        (("recipes", "copy", "quick"), "there is no recipe 'quick'"),
    ],
)
def test_usage_errors_exit_with_2_and_write_nothing(here, tmp_path, arguments, message):
    failed = here(*arguments, cwd=tmp_path)
    assert failed.returncode == 2, failed.stderr
    assert message in " ".join(failed.stderr.replace("│", "").split())
    assert "Traceback" not in failed.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_milestones_are_several_numbers_after_one_flag(here, recipe, tmp_path):
    flags = ("--schedule.name", "step", "--schedule.milestones", "0.4", "0.8")
    done = here("train", "synthetic", "--recipe", recipe, "--out", tmp_path / "run", *flags)
    assert done.returncode == 0, done.stderr
    assert tomllib.loads((tmp_path / "run" / "recipe.toml").read_text())["schedule"]["milestones"] == [
        0.4,
        0.8,
    ]


def test_a_finished_run_is_not_resumed_and_not_overwritten(here, trained):
    resumed = here("train", "synthetic", "--resume", "--out", trained)
    assert resumed.returncode == 2 and "is finished: there is nothing to resume" in resumed.stderr
    repeated = here("train", "synthetic", "--out", trained)
    assert repeated.returncode == 2 and "holds a finished run. Give another --out" in repeated.stderr


def test_a_balanced_accuracy_of_zero_is_shown():
    epoch = EpochResult(
        epoch=1, epochs=2, train_loss=0.7, train_top1=0.5, val_loss=0.7, val_top1=0.0,
        val_balanced_accuracy=0.0, is_best=False, lr=0.1, seconds=1.0,
    )  # fmt: skip
    assert "validation   0.00%, balanced   0.00%, loss 0.700" in epoch_line(epoch)
    assert "images/s" not in epoch_line(epoch)  # of an earlier version
    slow = replace(epoch, images_per_second=1234.5, data_wait=0.4)
    assert " · 1.0 s · 1,234 images/s, 40% waiting for data · validation" in epoch_line(slow)
    assert " · 1,234 images/s · validation" in epoch_line(replace(slow, data_wait=0.01))


@pytest.mark.slow
def test_ctrl_c_saves_the_run_and_prints_how_to_resume_it(here, recipe, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "verydeep", "train", "synthetic", "--recipe", recipe, "--epochs", "20"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "--out", run], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        for line in process.stderr:
            if line.startswith("epoch"):
                process.send_signal(signal.SIGINT)
                break
        messages = process.stderr.read()
    assert process.returncode == 130
    assert f"Resume it by: verydeep train synthetic --resume --out {run}" in messages
    assert 1 <= len((run / "metrics.jsonl").read_text().splitlines()) < 20
    done = here("train", "synthetic", "--resume", "--out", run, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epochs"] == 20


def test_recipes_are_listed_and_copied(here, tmp_path):
    rows = json.loads(here("recipes", "--json").stdout)
    assert [row["name"] for row in rows] == [
        "accurate", "best", "classic", "fast", "fine-tune", "imagenet", "imagenet-paper", "paper", "record",
        "scratch",
    ]  # fmt: skip
    assert all(row["summary"] for row in rows)
    done = here("recipes", "copy", "fast", cwd=tmp_path)
    assert done.returncode == 0 and (tmp_path / "fast.toml").read_text().startswith("#")
    assert "Train by it: verydeep train fashion-mnist --recipe fast.toml" in done.stdout
    again = here("recipes", "copy", "fast", cwd=tmp_path)
    assert again.returncode == 2 and "already exists" in again.stderr
    done = here("recipes", "copy", "fine-tune", "my own.toml", cwd=tmp_path)
    assert "by it: verydeep train photos/ --weights vgg16 --recipe 'my own.toml'" in done.stdout
