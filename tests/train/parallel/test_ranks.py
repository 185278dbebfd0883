"""Several ranks train what one process trains, to the bit, and fail together; real processes, by gloo."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from tests.train.shapes import network
from verydeep.errors import RecipeError
from verydeep.train.parallel.patience import (
    TIMEOUT_VARIABLE,
    timeout_before_training,
    timeout_in_training,
)
from verydeep.train.parallel.store import hearing_from_all
from verydeep.train.run_folder import RunFolder, read_metrics
from verydeep.train.train import train_network

from .rank_cases import (
    DATA,
    FOUR,
    HYBRID,
    HYBRID_OF_FOUR,
    RECIPES,
    STOPPED_AFTER_AN_EPOCH,
    STOPPED_IN_AN_EPOCH,
    on_gpu,
    stop,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
KINDS = (STOPPED_IN_AN_EPOCH, STOPPED_AFTER_AN_EPOCH)


def torchrun(ranks, device, folder):
    """Has so many processes do the work of ``rank_cases.py``."""
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}", "-m",
         "tests.train.parallel.rank_cases", device, folder],
        capture_output=True, text=True, cwd=Path(__file__).parents[3], timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def two(one_thread, tmp_path_factory):
    """Runs of one process and of two ranks; each has finished runs that the other left."""
    return runs(2, RECIPES, tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def four(one_thread, tmp_path_factory):
    """Likewise of four ranks."""
    return runs(4, FOUR, tmp_path_factory.mktemp("four"))


def runs(ranks, recipes, folder):
    one, several = folder / "one", folder / "several"
    for name, recipe in recipes.items():
        train_network(recipe, DATA, one / name, device="cpu")
    first = next(iter(recipes))
    for kind in KINDS:
        stop(recipes[first], several / "left" / kind, kind)
    if ranks == 2:
        train_network(HYBRID, DATA, one / "hybrid", device="cpu")
        train_network(HYBRID_OF_FOUR, DATA, one / "hybrid-of-four", device="cpu")
        stop(HYBRID, several / "hybrid" / "taken", STOPPED_IN_AN_EPOCH)
    torchrun(ranks, "cpu", several)
    for kind in KINDS:
        train_network(recipes[first], DATA, several / "started" / kind, device="cpu")
    if ranks == 2:
        train_network(HYBRID, DATA, several / "hybrid" / "left", device="cpu")
    return SimpleNamespace(recipes=recipes, first=one / first, one=one, several=several)


def outcome(run):
    """The weights of a run, and what it has measured."""
    epochs = [replace(epoch, seconds=0.0) for epoch in read_metrics(RunFolder(run).metrics)]
    return load_file(RunFolder(run).model), epochs


def assert_same(ours, theirs):
    (tensors, epochs), (expected, expected_epochs) = outcome(ours), outcome(theirs)
    assert epochs == expected_epochs
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in tensors)


@pytest.mark.parametrize("name", RECIPES)
def test_two_ranks_train_what_two_slices_do(two, name):
    assert_same(two.several / "started" / name, two.one / name)


def test_four_ranks_train_what_four_slices_do(four):
    assert_same(four.several / "started" / "four", four.first)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", ["started", "left"], ids=["to-one", "from-one"])
@pytest.mark.parametrize("ranks", ["two", "four"])
def test_a_run_is_resumed_by_another_number_of_ranks(request, ranks, left, kind):
    made = request.getfixturevalue(ranks)
    assert_same(made.several / left / kind, made.first)


@pytest.mark.parametrize(("ranks", "count"), [("two", 2), ("four", 4)])
def test_each_image_is_measured_once_in_whole_batches(request, ranks, count):
    made = request.getfixturevalue(ranks)
    for rank in range(count):
        logits = torch.load(made.several / f"logits-{rank}.pt")
        assert logits[:, 0].tolist() == list(range(11))
        assert logits[:, 1].tolist() == [image // 3 % count for image in range(11)]


def test_all_ranks_stop_for_what_one_of_them_meets(two):
    first, second = (
        dict(
            line.split("\t")
            for line in (two.several / "started" / f"errors-{rank}.txt").read_text().splitlines()
        )
        for rank in range(2)
    )
    same = {key for key in first if first[key] == second[key]}
    assert same == {"nan", "slices", "images", "names", "unreadable", "head", "muon", "units", "sizes"}
    assert first["nan"].startswith("LearningError: the loss of 8 M 16 M | gap 16 is nan")
    assert first["slices"].startswith(
        "RecipeError: slices is 3, and 2 ranks cannot share them evenly. Give --slices 4"
    )
    assert first["images"].startswith("RankError: images: rank 1 has 99, and the first rank 100")
    assert first["names"].startswith("RankError: the names of the images: rank 1 has ")
    assert first["unreadable"] == "19"  # of 20: all leave out what one of them cannot read
    for said in (first, second):
        assert said["packed"].startswith("1 of 40 images cannot be read and are left out: ")
    assert first["disk"] == "OSError: [Errno 28] No space left on device"
    assert first["finished"].startswith("RecipeError")
    assert second["disk"] == second["finished"]
    assert second["disk"] == "StoppedByOtherRank: another rank has stopped, and says why"
    assert "that of 8 M 16 M | gap 16 has 1; leave it out" in first["head"]
    assert "does not go with muon" in first["muon"]
    assert "splits a layer of 15 units, and 2 ranks cannot share them evenly" in first["units"]
    assert "a batch of 27 has 2; set batch_size to 26" in first["sizes"]


@pytest.mark.parametrize(
    ("name", "whole"),
    [("whole", "hybrid"), ("left", "hybrid"), ("taken", "hybrid"), ("four", "hybrid-of-four")],
)
def test_split_layers_train_as_whole_ones_do(two, name, whole):
    """Left by two ranks and finished by one, or the other way round, by way of ordinary checkpoints; and with
    two slices on each rank."""
    ours, expected = (outcome(run)[0] for run in (two.several / "hybrid" / name, two.one / whole))
    assert ours.keys() == expected.keys()
    for key, tensor in expected.items():
        torch.testing.assert_close(ours[key], tensor, rtol=0, atol=1e-5)


def test_the_bytes_of_a_step_are_those_of_the_docs(two):
    """Krizhevsky 2014, section 4: the gradients of the split layers are not sent, the values between are."""
    counted = torch.load(two.several / "sent.pt")
    whole = sum(parameter.numel() for parameter in network("8 M 16 M | pool2 16 12").model.parameters())
    layers = 64 * 16 + 16 + 16 * 12  # from 16 maps of 2 x 2 to 16 units, and to 12
    values = 13 * 64 + 13 * 12  # of 13 images: before the layers, and after them
    loss = 1 + 2 * 13  # and the predicted class and the loss of each image
    padding = 1
    assert counted["data"] == pytest.approx(4 * (whole + loss), abs=8 * padding)
    assert counted["hybrid"] == pytest.approx(4 * (whole - layers + 2 * values + loss), abs=8 * padding)


def test_how_long_ranks_wait_is_a_number_of_seconds(monkeypatch):
    for text, training, before in (("300", 300, 3600), ("86400", 86400, 86400)):
        monkeypatch.setenv(TIMEOUT_VARIABLE, text)
        assert timeout_in_training().total_seconds() == training
        assert timeout_before_training().total_seconds() == before
    for wrong in ("five", "0", "-1", "inf", "nan"):
        monkeypatch.setenv(TIMEOUT_VARIABLE, wrong)
        with pytest.raises(RecipeError, match=f"is '{wrong}'; expected seconds, such as 50"):
            timeout_in_training()


def test_a_rank_without_memory_has_lost_nobody():
    with pytest.raises(torch.OutOfMemoryError), hearing_from_all():
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_script_makes_several_trainings_one_after_another(tmp_path):
    torchrun(2, "groups", tmp_path / "groups")


def test_a_script_trains_after_errors_that_it_has_caught(tmp_path):
    torchrun(2, "errors", tmp_path / "run")
    assert RunFolder(tmp_path / "run").model.exists()


@pytest.mark.gpu
def test_one_rank_of_nccl_trains_what_a_process_without_ranks_does(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    on_gpu(tmp_path / "plain")
    torchrun(1, "cuda", tmp_path / "nccl")
    for name in RECIPES:
        assert_same(tmp_path / "nccl" / name, tmp_path / "plain" / name)
