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

from verydeep.train.run_folder import RunFolder, read_metrics
from verydeep.train.train import train_network

from .rank_cases import (
    DATA,
    FOUR,
    RECIPES,
    STOPPED_AFTER_AN_EPOCH,
    STOPPED_IN_AN_EPOCH,
    stop,
)

pytestmark = pytest.mark.slow
KINDS = (STOPPED_IN_AN_EPOCH, STOPPED_AFTER_AN_EPOCH)


def torchrun(ranks, *arguments):
    """Starts ``ranks`` processes, and gives the finished torchrun."""
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}", "-m",
         *map(str, arguments)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Runs of one process and of two ranks; each has finished runs that the other left."""
    return runs(2, RECIPES, tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """Likewise of four ranks."""
    return runs(4, FOUR, tmp_path_factory.mktemp("four"))


def runs(ranks, recipes, folder):
    one, several = folder / "one", folder / "several"
    for name, recipe in recipes.items():
        train_network(recipe, DATA, one / name, device="cpu")
    first = next(iter(recipes))
    for kind in KINDS:
        stop(recipes[first], several / "left" / kind, kind)
    torchrun(ranks, "tests.train.rank_cases", several)
    for kind in KINDS:
        train_network(recipes[first], DATA, several / "started" / kind, device="cpu")
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
    assert same == {"nan", "slices", "images"}
    assert first["nan"].startswith("LearningError: the loss of 8 M 16 M | gap 16 is nan")
    assert first["slices"].startswith(
        "RecipeError: slices is 3, and 2 ranks cannot share them evenly. Give --slices 4"
    )
    assert first["images"].startswith("RankError: images: rank 1 has 99, and the first rank 100")
    assert first["disk"] == "OSError: [Errno 28] No space left on device"
    assert first["finished"].startswith("RecipeError")
    assert second["disk"] == second["finished"]
    assert second["disk"] == "StoppedByOtherRank: another rank has stopped, and says why"
