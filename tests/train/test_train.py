"""A training from recipe to run folder, stopped and resumed, on drawn shapes in memory and as files."""

import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
from dataclasses import replace

import pytest
import torch

from verydeep.data import synthetic
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.decode import decode
from verydeep.data.split_file import read_groups, read_split
from verydeep.errors import CheckpointError, DataError, Interrupted, RecipeError, ShapeError
from verydeep.models.logits import predict_logits
from verydeep.train.device import choose_device, choose_precision, describe
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.prepare import prepare
from verydeep.train.recipe import Recipe, read_recipe, to_toml
from verydeep.train.run_folder import RunFolder, run_name
from verydeep.train.start.new_network import fitted_architecture
from verydeep.train.train import resume_training, train_network
from verydeep.train.unfinished_run import latest_unfinished_run, next_run_path, require_unfinished
from verydeep.weight_files import checkpoint_file as checkpoint

from .folders import write_folder
from .runs import StopAfter, tensors
from .shapes import same

DATA = synthetic.dataset(120, 60, size=16, classes=3)
RECIPE = Recipe(
    model="8 M 16 M | gap 16", norm="batch", epochs=2, batch_size=20, ema=0.8, precision="fp32",
    optimizer=OptimizerConfig(name="muon", lr=0.05), augment=AugmentConfig(flip="alternating", shift=1),
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return train_network(RECIPE, DATA, tmp_path_factory.mktemp("runs") / "whole", device="cpu")


def test_a_run_folder_has_the_promised_files(finished):
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


def test_the_checkpoint_reproduces_the_reported_accuracy(finished):
    saved = checkpoint.load(finished.run)
    logits = predict_logits(saved.model, DATA.test.pixels, saved.preprocess)
    top1 = float((logits.argmax(1) == DATA.test.labels).double().mean())
    assert top1 == finished.test.top1 == saved.origin["test_top1"]
    assert saved.origin["data"] == "synthetic" and saved.classes == DATA.classes


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(finished, tmp_path):
    again = train_network(RECIPE, DATA, tmp_path / "again", device="cpu")
    other = train_network(replace(RECIPE, seed=1), DATA, tmp_path / "other", device="cpu")
    assert same(tensors(again.run), tensors(finished.run))
    assert not same(tensors(other.run), tensors(finished.run))


@pytest.mark.parametrize("steps", [1, 6, 8])
def test_a_stopped_run_resumes_to_the_same_bits(finished, tmp_path, steps):
    run = tmp_path / "run"
    with pytest.raises(Interrupted, match="stopped and saved"):
        train_network(RECIPE, DATA, run, device="cpu", watcher=StopAfter(steps))
    assert not RunFolder(run).model.exists()
    resumed = resume_training(DATA, run, device="cpu")
    assert same(tensors(run), tensors(finished.run))
    assert [epoch.train_loss for epoch in resumed.epochs] == [epoch.train_loss for epoch in finished.epochs]


LONG = """
import sys
from verydeep.data import synthetic
from verydeep.train.recipe import read_recipe
from verydeep.train.train import train_network
data = synthetic.dataset(120, 60, size=16, classes=3)
train_network(read_recipe(sys.argv[1]), data, sys.argv[2], device="cpu")
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
    resume_training(DATA, run, device="cpu")
    whole = train_network(replace(RECIPE, epochs=30), DATA, tmp_path / "whole", device="cpu")
    assert same(tensors(run), tensors(whole.run))


def test_the_best_epoch_is_chosen_on_validation_images_and_kept(tmp_path):
    recipe = replace(RECIPE, validation=0.25, keep="best", epochs=4)
    result = train_network(recipe, DATA, tmp_path / "best", device="cpu")
    best = max(result.epochs, key=lambda epoch: (epoch.val_balanced_accuracy, -epoch.val_loss))
    assert result.best_epoch == best.epoch
    assert result.validation.top1 == best.val_top1
    assert result.validation.images == 30
    assert checkpoint.load(result.run).origin["epochs"] == best.epoch


def test_without_validation_all_images_are_trained_on():
    dataset = prepare(RECIPE, DATA).dataset
    assert (len(dataset.train), dataset.val) == (120, None)
    dataset = prepare(replace(RECIPE, validation=0.25), DATA).dataset
    assert (len(dataset.train), len(dataset.val)) == (90, 30)


def test_images_are_resized_and_the_checkpoint_states_their_size(tmp_path):
    result = train_network(replace(RECIPE, size=12, epochs=1), DATA, tmp_path / "small", device="cpu")
    saved = checkpoint.load(result.run)
    assert saved.preprocess.size == 12 and saved.model.architecture.input == (1, 12, 12)


def test_a_network_is_initialized_from_a_shallower_run(finished, tmp_path):
    deeper = replace(RECIPE, model="8 M 16 16 M | gap 16", grow_from=str(finished.run), epochs=1)
    assert (
        train_network(deeper, DATA, tmp_path / "deeper", device="cpu").architecture.string
        == "8 M 16x2 M | gap 16"
    )


def test_the_network_fits_classes_and_images():
    data = synthetic.dataset(12, 6, size=32, classes=3)
    architecture = fitted_architecture(replace(RECIPE, model="vgg16"), data)
    assert (architecture.classes, architecture.input) == (3, (1, 32, 32))
    assert architecture.name == "vgg16_bn" and architecture.notes


@pytest.mark.parametrize("norm", ["none", "batch", "batch-after-pool"])
def test_the_network_has_the_norm_of_the_recipe(norm):
    assert fitted_architecture(replace(RECIPE, norm=norm), DATA).norm == norm


def test_a_network_that_does_not_fit_the_images_leaves_no_run_folder(tmp_path):
    with pytest.raises(ShapeError, match="needs at least 32 x 32 px"):
        train_network(replace(RECIPE, model="vgg16"), DATA, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_run_is_never_overwritten(finished):
    with pytest.raises(RecipeError, match=r"holds a finished run\. Give another --out"):
        train_network(RECIPE, DATA, finished.run, device="cpu")


def test_a_finished_run_is_not_resumed(finished, tmp_path):
    with pytest.raises(CheckpointError, match="is finished: there is nothing to resume"):
        resume_training(DATA, finished.run, device="cpu")
    with pytest.raises(CheckpointError, match="holds no run"):
        resume_training(DATA, tmp_path, device="cpu")


def test_a_run_is_resumed_on_its_own_data_only(tmp_path):
    with pytest.raises(Interrupted):
        train_network(RECIPE, DATA, tmp_path / "run", device="cpu", watcher=StopAfter(1))
    with pytest.raises(CheckpointError, match="was started on synthetic; it cannot be resumed on other"):
        resume_training(replace(DATA, name="other"), tmp_path / "run", device="cpu")
    assert latest_unfinished_run(tmp_path, "train") == tmp_path / "run"
    with pytest.raises(CheckpointError, match="no unfinished run of `verydeep tune`"):
        latest_unfinished_run(tmp_path, "tune")


def test_run_folders_are_numbered(tmp_path):
    assert next_run_path(tmp_path, "fast").name == "fast"
    for name in ("fast", "fast-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").touch()
    assert next_run_path(tmp_path, "fast").name == "fast-3"
    with pytest.raises(CheckpointError, match="no unfinished run"):
        latest_unfinished_run(tmp_path, "train")


def test_the_machine_is_described():
    device = choose_device("cpu")
    machine = describe(device, choose_precision("auto", device))
    assert machine["torch"] == torch.__version__ and int(machine["cores"]) >= 1


def test_a_missing_device_is_named():
    missing = "mps" if torch.cuda.is_available() else "cuda"
    with pytest.raises(RecipeError, match=f"no device '{missing}'"):
        choose_device(missing)


OWN = replace(RECIPE, epochs=2, batch_size=10, validation=0.25, keep="best", size=16)
"""For image files."""


def test_fewer_images_than_two_a_slice_are_refused_before_the_run_begins(tmp_path):
    data = synthetic.dataset(9, 6, size=16, classes=3)
    with pytest.raises(RecipeError, match=r"a batch of 9\. Add images, or set slices to 4"):
        train_network(replace(RECIPE, slices=8), data, tmp_path / "run", device="cpu")
    assert not RunFolder(tmp_path / "run").recipe.exists()


def test_a_folder_of_images_is_trained_on_and_its_split_is_saved(tmp_path):
    folder = write_folder(tmp_path / "shapes", (16, 16, 16))
    result = train_network(OWN, str(folder), tmp_path / "run", device="cpu")
    assert sorted(path.name for path in result.run.iterdir()) == [
        "metrics.jsonl", "model.safetensors", "recipe.toml", "split.csv",
    ]  # fmt: skip
    parts = list(read_split(RunFolder(result.run).split).values())
    assert {part: parts.count(part) for part in parts} == {"train": 28, "val": 10, "test": 10}
    assert result.test.images == 10 == len(result.test_names)
    saved = checkpoint.load(result.run)
    test = [name for name, part in read_split(RunFolder(result.run).split).items() if part == "test"]
    assert list(result.test_names) == test
    pixels = torch.stack([decode(folder / name, saved.preprocess) for name in test])
    predicted = predict_logits(saved.model, pixels, saved.preprocess).argmax(1).tolist()
    correct = sum(saved.classes[i] == name.split("/")[0] for i, name in zip(predicted, test, strict=True))
    assert correct / 10 == pytest.approx(result.test.top1)


def test_groups_stay_on_one_side_of_every_split(tmp_path):
    folder = write_folder(tmp_path / "shapes", (16, 16, 16), per_photo=4)
    recipe = replace(OWN, group_by=r"\w+/photo_\d+", epochs=1)
    result = train_network(recipe, str(folder), tmp_path / "run", device="cpu")
    parts, groups = (read(RunFolder(result.run).split) for read in (read_split, read_groups))
    by_group = {}
    for name, group in groups.items():
        by_group.setdefault(group, set()).add(parts[name])
    assert len(by_group) == 12 and all(len(each) == 1 for each in by_group.values())
    held_out = [parts for parts in by_group.values() if parts != {"train"}]
    assert result.test.groups == held_out.count({"test"}) > 1
    assert result.validation.groups == held_out.count({"val"}) > 1


def test_groups_that_the_given_folders_divide_are_noted(tmp_path):
    folder = tmp_path / "my photos"
    write_folder(folder / "train", (8, 8, 8), per_photo=4)
    write_folder(folder / "val", (4, 4, 4), per_photo=4)  # photo_000 of each class again
    write_folder(folder / "test", (4, 4, 4), per_photo=4, seed=1)
    prepared = prepare(replace(OWN, group_by=r"\w+/photo_\d+"), str(folder))
    (note,) = (line for line in prepared.found if "groups" in line)
    check = f"verydeep data check '{folder}' --group-by '\\w+/photo_\\d+' --out findings.csv"
    assert note == (
        "Note: 3 of 6 groups are in several parts of the split that the data came with (data leakage), so "
        f"that results are too good; `{check}` lists their images"
    )
    assert note.removeprefix("Note: ") in prepared.notes


def test_a_few_unreadable_images_are_noted_and_left_out(tmp_path):
    folder = write_folder(tmp_path / "shapes", (20, 20, 20))
    (folder / "circle" / "photo_000_000.png").write_bytes(b"no image")
    result = train_network(replace(OWN, epochs=1), str(folder), tmp_path / "run", device="cpu")
    assert any("1 of 60 images cannot be read and are left out" in note for note in result.notes)
    assert "circle/photo_000_000.png" not in read_split(RunFolder(result.run).split)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 4])
def test_training_on_files_resumes_to_the_same_bits(tmp_path, steps):
    folder = str(write_folder(tmp_path / "shapes", (16, 16, 16)))
    whole = train_network(OWN, folder, tmp_path / "whole", device="cpu")
    with pytest.raises(Interrupted):
        train_network(OWN, folder, tmp_path / "run", device="cpu", watcher=StopAfter(steps))
    resume_training(folder, tmp_path / "run", device="cpu")
    assert same(tensors(tmp_path / "run"), tensors(whole.run))


def test_a_run_is_not_resumed_on_files_that_have_changed(tmp_path):
    folder = write_folder(tmp_path / "shapes", (16, 16, 16))
    with pytest.raises(Interrupted):
        train_network(OWN, str(folder), tmp_path / "run", device="cpu", watcher=StopAfter(1))
    next((folder / "circle").iterdir()).rename(folder / "circle" / "renamed.png")
    with pytest.raises(DataError, match=r"the images of shapes changed since .* Start over with --new, or"):
        resume_training(str(folder), tmp_path / "run", device="cpu")


@pytest.mark.parametrize(
    ("sizes", "message"), [((9, 0, 9), "no training images of square"), ((9,), "one class")]
)
def test_classes_that_cannot_be_trained_are_refused(tmp_path, sizes, message):
    folder = write_folder(tmp_path / "shapes", sizes)
    with pytest.raises(DataError, match=message):
        train_network(OWN, str(folder), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("freeze", [0, 1, "all"])
def test_pretrained_weights_are_fine_tuned(finished, tmp_path, freeze):
    """A network trained on three shapes in memory is fine-tuned on two of them in files."""
    folder = write_folder(tmp_path / "shapes", (30, 30), channels=1)
    recipe = replace(
        OWN, model=None, norm=None, weights=str(finished.run), freeze=freeze, epochs=3, keep="last"
    )
    result = train_network(recipe, str(folder), tmp_path / "run", device="cpu")
    before, after = tensors(finished.run), tensors(result.run)
    unchanged = {name for name in before.keys() & after.keys() if torch.equal(before[name], after[name])}
    first = {name for name in before if name.startswith("features.0.")}
    second = {name for name in before if name.startswith("features.4.")}
    assert first and second
    assert (first <= unchanged) is (freeze != 0)
    assert (second <= unchanged) is (freeze == "all")
    assert result.architecture.classes == 2 and checkpoint.load(result.run).classes == ("circle", "square")


def test_with_frozen_stages_the_augmentation_without_effect_is_noted(finished, tmp_path):
    folder = write_folder(tmp_path / "shapes", (12, 12), channels=1)
    recipe = replace(OWN, model=None, norm=None, weights=str(finished.run), freeze=1, epochs=1)
    result = train_network(recipe, str(folder), tmp_path / "run", device="cpu")
    assert "with frozen stages only the horizontal flip augments the images" in result.notes
    flips = replace(recipe, augment=AugmentConfig(flip="random"))
    result = train_network(flips, str(folder), tmp_path / "flips", device="cpu")
    assert not any("frozen" in note for note in result.notes)


def test_random_weights_are_not_frozen(tmp_path):
    with pytest.raises(RecipeError, match="there are no weights: frozen random stages learn nothing"):
        train_network(replace(RECIPE, freeze=1), DATA, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_too_many_frozen_stages_are_refused_before_there_is_a_run_folder(finished, tmp_path):
    recipe = replace(RECIPE, model=None, norm=None, weights=str(finished.run), freeze=7)
    with pytest.raises(RecipeError, match="freeze is 7"):
        train_network(recipe, DATA, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_run_of_train_is_not_resumed_by_another_command(tmp_path):
    with pytest.raises(Interrupted):
        train_network(RECIPE, DATA, tmp_path / "run", device="cpu", watcher=StopAfter(1))
    with pytest.raises(CheckpointError, match="was started by `verydeep train`; resume it with that command"):
        require_unfinished(tmp_path / "run", "tune")


@pytest.mark.parametrize(
    ("recipe", "data", "name"),
    [
        ("fast", "fashion-mnist", "fast-fashion-mnist"),
        ("my/own.toml", "/data/blood cells/", "own-blood-cells"),
        ("tune", "cells.csv", "tune-cells"),
        ("scratch", "hf:user/cats@main", "scratch-cats-main"),
        ("tune", "한글 숫자", "tune-한글-숫자"),
        ("tune", unicodedata.normalize("NFD", "한글"), "tune-한글"),  # as macOS stores it
        ("tune", "हिन्दी", "tune-हिन्दी"),  # vowel signs are marks, not letters
        ("tune", "Größe (neu)", "tune-Größe-neu"),
        ("tune", "猫🐈", "tune-猫🐈"),
        ("tune", "a\x1b[31mb\udcff\u202e.tar", "tune-a-31mb-"),
        ("tune", "???", "tune-data"),
    ],
)
def test_a_run_is_named_after_recipe_and_data(recipe, data, name):
    assert run_name(recipe, data) == name


def test_a_folder_is_named_whole_and_a_long_name_is_cut(tmp_path):
    (tmp_path / "cells v1.2").mkdir()
    assert run_name("tune", str(tmp_path / "cells v1.2")) == "tune-cells-v1.2"
    (tmp_path / ("가" * 85)).mkdir()  # 255 bytes, the longest that file systems take
    name = run_name("tune", str(tmp_path / ("가" * 85)))
    assert len(name.encode()) <= 200 and set(name.removeprefix("tune-")) == {"가"}
    (next_run_path(tmp_path / "runs", name) / "other").mkdir(parents=True)
    next_run_path(tmp_path / "runs", name).mkdir()


def test_a_run_does_not_take_the_name_of_another_in_other_case_or_normalization(tmp_path):
    (tmp_path / unicodedata.normalize("NFD", "Tune-한글")).mkdir()
    assert next_run_path(tmp_path, "tune-한글").name == "tune-한글-2"
