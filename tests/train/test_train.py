"""A training from recipe to run folder, stopped and resumed, on drawn shapes."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from verydeep.data import synthetic
from verydeep.data.augment import AugmentConfig
from verydeep.errors import CheckpointError, Interrupted, RecipeError, ShapeError
from verydeep.evaluate.logits import predict_logits
from verydeep.train.device import choose_device, choose_precision, describe
from verydeep.train.optimizer import OptimizerConfig
from verydeep.train.recipe import Recipe, read_recipe, to_toml
from verydeep.train.run_folder import RunFolder, latest_unfinished_run, next_run_path
from verydeep.train.setup import course, fitted_architecture
from verydeep.train.train import Watcher, resume, start
from verydeep.weights import checkpoint_file as checkpoint

DATA = synthetic.dataset(120, 60, size=16, classes=3)
RECIPE = Recipe(
    model="8 M 16 M | gap 16", norm="batch", epochs=2, batch_size=20, ema=0.8, precision="fp32",
    optimizer=OptimizerConfig(name="muon", lr=0.05), augment=AugmentConfig(flip="alternating", shift=1),
)  # fmt: skip


class StopAfter(Watcher):
    def __init__(self, steps):
        self.steps = steps

    def stepped(self, state):
        self.steps -= 1

    def wants_to_stop(self):
        return self.steps <= 0


def tensors(run):
    return load_file(RunFolder(run).model)


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return start(RECIPE, DATA, tmp_path_factory.mktemp("runs") / "whole", device="cpu")


def test_a_run_leaves_what_is_promised(finished):
    folder = RunFolder(finished.run)
    assert sorted(path.name for path in finished.run.iterdir()) == [
        "metrics.jsonl",
        "model.safetensors",
        "recipe.toml",
    ]
    assert read_recipe(str(folder.recipe)) == RECIPE
    lines = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert lines[-1]["train_loss"] == finished.epochs[-1].train_loss


def test_the_checkpoint_gives_the_reported_accuracy(finished):
    saved = checkpoint.load(finished.run)
    logits = predict_logits(saved.model, DATA.test.pixels, saved.preprocess)
    top1 = float((logits.argmax(1) == DATA.test.labels).double().mean())
    assert top1 == finished.test.top1 == saved.origin["test_top1"]
    assert saved.origin["data"] == "synthetic" and saved.classes == DATA.classes


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(finished, tmp_path):
    again = start(RECIPE, DATA, tmp_path / "again", device="cpu")
    other = start(replace(RECIPE, seed=1), DATA, tmp_path / "other", device="cpu")
    assert same(tensors(again.run), tensors(finished.run))
    assert not same(tensors(other.run), tensors(finished.run))


@pytest.mark.parametrize("steps", [1, 6, 8])
def test_a_stopped_run_resumes_to_the_same_bits(finished, tmp_path, steps):
    run = tmp_path / "run"
    with pytest.raises(Interrupted, match="stopped and saved"):
        start(RECIPE, DATA, run, device="cpu", watcher=StopAfter(steps))
    assert not RunFolder(run).model.exists()
    resumed = resume(DATA, run, device="cpu")
    assert same(tensors(run), tensors(finished.run))
    assert [epoch.train_loss for epoch in resumed.epochs] == [epoch.train_loss for epoch in finished.epochs]


LONG = """
import sys
from verydeep.data import synthetic
from verydeep.train.recipe import read_recipe
from verydeep.train.train import start
start(read_recipe(sys.argv[1]), synthetic.dataset(120, 60, size=16, classes=3), sys.argv[2], device="cpu")
"""


@pytest.mark.slow
def test_a_killed_process_resumes_to_the_same_bits(tmp_path):
    """SIGKILL, which no handler sees, somewhere after the second epoch was saved."""
    (tmp_path / "long.toml").write_text(to_toml(replace(RECIPE, epochs=30)))
    run, metrics = tmp_path / "killed", tmp_path / "killed" / "metrics.jsonl"
    process = subprocess.Popen([sys.executable, "-c", LONG, str(tmp_path / "long.toml"), str(run)])
    while process.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") >= 2):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert RunFolder(run).is_unfinished
    resume(DATA, run, device="cpu")
    whole = start(replace(RECIPE, epochs=30), DATA, tmp_path / "whole", device="cpu")
    assert same(tensors(run), tensors(whole.run))


def test_the_best_epoch_is_chosen_on_validation_and_kept(tmp_path):
    recipe = replace(RECIPE, validation=0.25, keep="best", epochs=4)
    result = start(recipe, DATA, tmp_path / "best", device="cpu")
    best = max(epoch.val_top1 for epoch in result.epochs)
    assert result.validation.top1 == best
    assert result.validation.images == 30


def test_without_validation_all_images_are_trained_on():
    assert len(course(RECIPE, DATA, torch.device("cpu")).train) == 120
    held_back = course(replace(RECIPE, validation=0.25), DATA, torch.device("cpu"))
    assert (len(held_back.train), len(held_back.val)) == (90, 30)


def test_images_are_resized_and_the_checkpoint_knows(tmp_path):
    result = start(replace(RECIPE, size=12, epochs=1), DATA, tmp_path / "small", device="cpu")
    saved = checkpoint.load(result.run)
    assert saved.preprocess.size == 12 and saved.model.architecture.input == (1, 12, 12)


def test_a_network_grows_from_a_run(finished, tmp_path):
    deeper = replace(RECIPE, model="8 M 16 16 M | gap 16", grow_from=str(finished.run), epochs=1)
    assert start(deeper, DATA, tmp_path / "grown", device="cpu").architecture.string == "8 M 16x2 M | gap 16"


def test_the_network_fits_classes_and_images():
    architecture = fitted_architecture(replace(RECIPE, model="vgg16", size=32), DATA)
    assert (architecture.classes, architecture.input) == (3, (1, 32, 32))
    assert architecture.name == "vgg16_bn" and architecture.notes


@pytest.mark.parametrize("norm", ["none", "batch", "batch-after-pool"])
def test_the_recipes_norm_is_the_networks(norm):
    assert fitted_architecture(replace(RECIPE, norm=norm), DATA).norm == norm


def test_what_cannot_be_trained_leaves_nothing_behind(tmp_path):
    with pytest.raises(ShapeError, match="needs at least 32 x 32 px"):
        start(replace(RECIPE, model="vgg16"), DATA, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_run_is_never_written_over(finished):
    with pytest.raises(RecipeError, match="is not empty"):
        start(RECIPE, DATA, finished.run, device="cpu")


def test_a_finished_run_is_not_resumed(finished, tmp_path):
    with pytest.raises(CheckpointError, match="is finished: there is nothing to resume"):
        resume(DATA, finished.run, device="cpu")
    with pytest.raises(CheckpointError, match="holds no run"):
        resume(DATA, tmp_path, device="cpu")


def test_a_run_resumes_on_its_own_data_only(tmp_path):
    with pytest.raises(Interrupted):
        start(RECIPE, DATA, tmp_path / "run", device="cpu", watcher=StopAfter(1))
    with pytest.raises(CheckpointError, match="was begun on synthetic; it cannot go on with other"):
        resume(replace(DATA, name="other"), tmp_path / "run", device="cpu")
    assert latest_unfinished_run(tmp_path) == tmp_path / "run"


def test_run_folders_are_numbered(tmp_path):
    assert next_run_path(tmp_path, "fast").name == "fast"
    (tmp_path / "fast").mkdir()
    (tmp_path / "fast-2").mkdir()
    assert next_run_path(tmp_path, "fast").name == "fast-3"
    with pytest.raises(CheckpointError, match="no unfinished run"):
        latest_unfinished_run(tmp_path)


def test_the_machine_is_described():
    device = choose_device("cpu")
    said = describe(device, choose_precision("auto", device))
    assert said["torch"] == torch.__version__ and int(said["cores"]) >= 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device that is to be missing")
def test_a_missing_device_is_named():
    with pytest.raises(RecipeError, match="no device 'cuda'"):
        choose_device("cuda")
