"""``train`` and ``recipes`` as a user meets them."""

import json
import os
import signal
import subprocess
import sys

import pytest

from verydeep.train.recipe import to_toml

from .conftest import TINY


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "tiny.toml").write_text(to_toml(TINY))
    return tmp_path / "tiny.toml"


def test_the_last_output_is_the_promised_json(verydeep, recipe, tmp_path):
    done = verydeep(
        "train", "synthetic", "--recipe", recipe, "--out", tmp_path / "run", "--seed", 3, "--json"
    )
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert list(values) == ["run", "model", "test_top1", "seconds", "wall_seconds", "epochs", "parameters"]
    assert 0 <= values["test_top1"] <= 1 and 0 < values["seconds"] < values["wall_seconds"]
    assert values["epochs"] == 1
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "metrics.jsonl", "model.safetensors", "recipe.toml", "report.html",
    ]  # fmt: skip
    page = (tmp_path / "run" / "report.html").read_text()
    assert "seed 3" in page and "verydeep train synthetic" in page
    assert "epoch 1/1" in done.stderr


def test_flags_come_before_the_recipe(verydeep, recipe, tmp_path):
    run = tmp_path / "run"
    done = verydeep(
        "train", "synthetic", "--recipe", recipe, "--out", run, "--optimizer.lr", "0.03", "--augment.shift", 2
    )
    assert done.returncode == 0, done.stderr
    saved = (run / "recipe.toml").read_text()
    assert "lr = 0.03" in saved and "shift = 2" in saved
    assert "Test accuracy" in done.stdout and "report.html" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "mnist"), "expected one of fashion-mnist"),
        (("train", "synthetic", "--recipe", "fats"), "Did you mean fast?"),
        (("train", "synthetic", "--epochs", "0"), "epochs is 0: input should be greater than 0"),
        (("train", "synthetic", "--model", "vgg17"), "Did you mean vgg1"),
        (("train", "synthetic", "--model", "vgg16"), "needs at least 32 x 32 px"),
        (("train", "synthetic", "--resume", "--epochs", "3"), "keeps its recipe: leave out --epochs"),
        (("train", "synthetic", "--resume"), "no unfinished run in runs"),
        (("recipes", "copy", "quick"), "there is no recipe 'quick'"),
    ],
)
def test_the_users_mistakes_exit_with_2_and_leave_nothing(here, tmp_path, arguments, said):
    failed = here(*arguments, cwd=tmp_path)
    assert failed.returncode == 2, failed.stderr
    assert said in " ".join(failed.stderr.split())
    assert "Traceback" not in failed.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_ctrl_c_saves_and_says_how_to_go_on(verydeep, recipe, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "verydeep", "train", "synthetic", "--recipe", recipe, "--epochs", "500"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "--out", run], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        for line in process.stderr:
            if line.startswith("epoch"):
                process.send_signal(signal.SIGINT)
                break
        said = process.stderr.read()
    assert process.returncode == 130
    assert f"Go on by: verydeep train synthetic --resume --out {run}" in said
    first = len((run / "metrics.jsonl").read_text().splitlines())
    (run / "recipe.toml").write_text(
        (run / "recipe.toml").read_text().replace("epochs = 500", f"epochs = {first + 1}")
    )
    done = verydeep("train", "synthetic", "--resume", "--out", run, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epochs"] == first + 1


def test_recipes_are_listed_and_copied(verydeep, tmp_path):
    rows = json.loads(verydeep("recipes", "--json").stdout)
    assert {"fast", "accurate", "classic", "paper"} == {row["name"] for row in rows}
    assert all(row["summary"] for row in rows)
    done = verydeep("recipes", "copy", "fast", cwd=tmp_path)
    assert done.returncode == 0 and (tmp_path / "fast.toml").read_text().startswith("#")
    again = verydeep("recipes", "copy", "fast", cwd=tmp_path)
    assert again.returncode == 2 and "exists already" in again.stderr
