"""``train --weights``: transfer learning with pretrained weights; frozen stages, and what is refused."""

import json
import tomllib

import pytest
import torch

from verydeep.weight_files.checkpoint_file import load

from .conftest import TINY_FLAGS

FLAGS = ("--epochs", 2, "--optimizer.lr", "0.01", "--precision", "fp32", "--keep", "last")
"""Two epochs of the recipe fine-tune that change every weight visibly."""


@pytest.fixture
def fine_tuned(here, shapes, tiny, tmp_path):
    """Fine-tunes and gives the tensors before and after, and the finished command."""

    def run(*flags):
        done = here("train", shapes, "--weights", tiny, *FLAGS, *flags, "--out", tmp_path / "run")
        assert done.returncode == 0, done.stderr
        return load(tiny).model.state_dict(), load(tmp_path / "run").model.state_dict(), done

    return run


def unchanged(before, after):
    """The parameters of the convolutions and norms, and the running statistics, that are equal bit by bit."""
    return {
        name for name in before if name.startswith("features.") and torch.equal(before[name], after[name])
    }


def test_the_recipe_is_fine_tune_and_every_weight_is_trained(fine_tuned, tmp_path):
    before, after, done = fine_tuned()
    recipe = tomllib.loads((tmp_path / "run" / "recipe.toml").read_text())
    assert (recipe["early_stopping"], recipe["optimizer"]["stage_lr_decay"]) == (6, 0.8)  # of fine-tune.toml
    assert "frozen" not in done.stderr and "epoch 2/2" in done.stderr
    statistics = {name for name in before if "running" in name or "num_batches" in name}
    assert unchanged(before, after) == statistics  # of batch norm, which few images would spoil
    assert set(load(tmp_path / "run").classes) == {"circle", "square"}


def test_a_run_is_fine_tuned_on_other_classes(here, trained, shapes, tmp_path):
    """From ten classes in gray to two in color: the first layer and the head are fitted."""
    done = here("train", shapes, "--weights", trained, *FLAGS, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run"] == "runs/fine-tune-shapes"


@pytest.mark.slow
def test_a_run_on_the_same_classes_starts_from_its_own_head(here, shapes, tmp_path):
    assert here("train", shapes, *TINY_FLAGS, "--out", "first", cwd=tmp_path).returncode == 0
    flags = ("--weights", "first", "--epochs", 1, "--optimizer.lr", "1e-12", "--ema", 0, "--keep", "last")
    done = here("train", shapes, *flags, "--out", "second", "--json")
    assert done.returncode == 0, done.stderr
    first, second = (
        json.loads(here("evaluate", run, shapes, "--json").stdout) for run in ("first", "second")
    )
    assert first["loss"] == pytest.approx(second["loss"], rel=1e-5)
    assert first["top1"] == second["top1"] == json.loads(done.stdout)["test_top1"]


@pytest.mark.parametrize(
    ("freeze", "frozen", "parameters"),
    [("1", ("features.0", "features.1"), 16 * 3 * 9 + 3 * 16), ("all", ("features.",), 5_184)],
)
def test_frozen_tensors_keep_their_bits(fine_tuned, freeze, frozen, parameters):
    before, after, done = fine_tuned("--freeze", freeze, "--norm-statistics", "updated")
    names = {name for name in before if name.startswith(frozen)}
    assert unchanged(before, after) == names
    assert f"5,250 parameters, {parameters:,} of them frozen" in done.stderr
    assert not torch.equal(before["classifier.0.weight"], after["classifier.0.weight"])


def test_a_frozen_run_evaluates_to_its_test_accuracy(here, shapes, tiny, tmp_path):
    done = here("train", shapes, "--weights", tiny, *FLAGS, "--freeze", "all", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    evaluated = json.loads(here("evaluate", values["run"], shapes, "--part", "test", "--json").stdout)
    assert evaluated["top1"] == values["test_top1"]


def test_the_classifier_is_put_after_a_layer(fine_tuned):
    before, after, done = fine_tuned("--head", "relu1_1")
    assert set(after) < set(before) and after["classifier.0.weight"].shape == (2, 16)
    assert "16 | gap" in done.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--weights", "TINY", "--freeze", "9"), "freeze is 9; tiny-gap has 2 stages, or give all"),
        (("--weights", "TINY", "--freeze", "-1"), "freeze is -1: "),
        (("--weights", "TINY", "--freeze", "two"), "--freeze; expected a whole number, all or auto"),
        (("--freeze", "1"), "freeze is 1, and there are no weights"),
        (("--freeze", "all"), "freeze is all, and there are no weights"),
        (("--weights", "TINY", "--norm", "batch"), "norm is batch, and pretrained weights decide that"),
        (("--weights", "TINY", "--model", "vgg16"), "holds weights of tiny, but vgg16 was requested"),
        (("--weights", "TINY", "--head", "relu9_9"), "expected gap, whole, or a layer of tiny-gap: relu1_1"),
        (("--weights", "TINY", "--grow-from", "TINY"), "weights and grow_from both set the initial weights"),
        (("--weights", "nothing.pth"), "there is no checkpoint at nothing.pth"),
        (("--weights", "vgg61"), "Did you mean vgg1"),
        (("--weights", "imagenet"), "needs --model"),
    ],
)
def test_usage_errors_are_one_message_and_write_nothing(here, shapes, tiny, tmp_path, flags, message):
    flags = [flag.replace("TINY", str(tiny)) for flag in flags]
    failed = here("train", shapes, *flags, cwd=tmp_path)
    assert failed.returncode == 2, failed.stderr
    printed = " ".join(failed.stderr.replace("│", "").split())
    assert message in printed and printed.count("Error") == 1 and "Traceback" not in printed
    assert not list(tmp_path.iterdir())


def test_dropout_of_a_pretrained_head_is_set(fine_tuned, tmp_path):
    fine_tuned("--head", "whole", "--dropout", "0.25")
    assert load(tmp_path / "run").model.architecture.dropout == 0.25
