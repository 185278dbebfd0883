"""Training on images that stay on disk: as on images in memory, and stopped and resumed to the same bits."""

import time
from dataclasses import replace

import pytest
import torch

from tests.report.trainings import epoch
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.images import Dataset
from verydeep.data.images_on_disk import DatasetOnDisk
from verydeep.data.split_file import read_split
from verydeep.decoding import fast_jpeg
from verydeep.errors import CheckpointError, DataError, Interrupted
from verydeep.inputs.batch_source import TrainingBatch
from verydeep.inputs.decoding_processes import VARIABLE
from verydeep.report.training_page import render_training
from verydeep.train.epoch_result import EpochClock
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.prepare import prepare
from verydeep.train.recipe import Recipe
from verydeep.train.run_folder import RunFolder, read_metrics
from verydeep.train.start import own_images
from verydeep.train.train import resume_training, train_network
from verydeep.weight_files import checkpoint_file

from .folders import write_folder
from .runs import StopAfter, tensors
from .shapes import same

STREAMED = Recipe(
    model="8 M 16 M | gap 16", norm="batch", epochs=2, batch_size=10, validation=0.25, size=16,
    precision="fp32", optimizer=OptimizerConfig(name="muon", lr=0.05), stream="on",
    augment=AugmentConfig(flip="random", crop=0.5, shift=1, mixup=0.3),
)  # fmt: skip


def train(recipe, folder, run, **how):
    return train_network(recipe, str(folder), run, device="cpu", **how)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data") / "shapes", (16, 16, 16))


@pytest.fixture(scope="module")
def streamed(folder, tmp_path_factory):
    return train(STREAMED, folder, tmp_path_factory.mktemp("runs") / "streamed")


def test_the_run_is_that_on_images_in_memory(folder, streamed, tmp_path):
    in_memory = train(replace(STREAMED, stream="off"), folder, tmp_path / "run")
    assert isinstance(in_memory.dataset, Dataset) and isinstance(streamed.dataset, DatasetOnDisk)
    assert same(tensors(streamed.run), tensors(in_memory.run))
    for one, other in zip(streamed.epochs, in_memory.epochs, strict=True):
        assert replace(one, seconds=0.0) == replace(other, seconds=0.0)
    assert streamed.test == in_memory.test and streamed.validation == in_memory.validation
    assert streamed.mistakes == in_memory.mistakes and streamed.test_names == in_memory.test_names


def test_the_run_does_not_depend_on_processes_that_decode(folder, streamed, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "2")
    assert same(tensors(train(STREAMED, folder, tmp_path / "run").run), tensors(streamed.run))


@pytest.mark.parametrize("steps", [1, 4])
def test_it_resumes_to_the_same_bits_within_an_epoch_and_between_two(folder, streamed, tmp_path, steps):
    with pytest.raises(Interrupted):
        train(STREAMED, folder, tmp_path / "run", watcher=StopAfter(steps))
    resume_training(str(folder), tmp_path / "run", device="cpu")
    assert same(tensors(tmp_path / "run"), tensors(streamed.run))


def test_the_decoder_is_recorded_and_a_resumed_run_takes_the_same(folder, streamed, tmp_path, monkeypatch):
    decoder = "fast" if fast_jpeg.is_installed() else "pillow"
    assert checkpoint_file.load(streamed.run).origin["decoder"] == decoder
    assert any(f"decoder {decoder}" in note for note in streamed.notes)
    monkeypatch.setattr(fast_jpeg, "is_installed", lambda: True)
    with pytest.raises(Interrupted):
        train(STREAMED, folder, tmp_path / "run", watcher=StopAfter(1))
    monkeypatch.setattr(fast_jpeg, "is_installed", lambda: False)
    with pytest.raises(CheckpointError, match=r"pip install 'verydeep\[fast\]' to resume it"):
        resume_training(str(folder), tmp_path / "run", device="cpu")


@pytest.mark.parametrize(("limit", "kind"), [(10_000, DatasetOnDisk), (10**6, Dataset)])
def test_by_default_images_are_streamed_where_they_take_much_memory(folder, monkeypatch, limit, kind):
    monkeypatch.setattr(own_images, "MEMORY_LIMIT", limit)
    prepared = prepare(replace(STREAMED, stream="auto"), str(folder))
    assert isinstance(prepared.dataset, kind)


def test_throughput_and_waiting_are_measured_and_not_compared(streamed):
    saved = read_metrics(RunFolder(streamed.run).metrics)
    for before, after in zip(streamed.epochs, saved, strict=True):
        assert after.images_per_second == before.images_per_second > 0
        assert after.data_wait == before.data_wait and 0 < before.data_wait <= 1
        assert replace(before, images_per_second=None, data_wait=None) == after


def test_the_clock_counts_the_time_before_a_batch():
    def batches():
        for _ in range(2):
            time.sleep(0.05)
            yield torch.arange(5), TrainingBatch(torch.zeros(5, 1, 2, 2), torch.zeros(5).long())

    clock, began = EpochClock(3.0), time.perf_counter()
    for _ in clock.timed(batches()):
        time.sleep(0.05)
    measured = clock.added_to(epoch(1, seconds=3.0 + time.perf_counter() - began))
    assert 10 < measured.images_per_second <= 10 / 0.2
    assert 0.05 < measured.data_wait < 0.95


def test_of_an_epoch_that_was_resumed_after_its_last_step_no_throughput_is_known():
    untimed = replace(epoch(1, seconds=3.1), images_per_second=None, data_wait=None)
    measured = EpochClock(seconds=3.0).added_to(untimed)
    assert (measured.images_per_second, measured.data_wait) == (None, None)


def test_a_report_shows_the_mistakes(streamed, tmp_path):
    page = render_training(streamed, run=tmp_path, recipe_name="own", command="verydeep", wall_seconds=1.0)
    assert streamed.mistakes and page.count("data:image/png") >= len(streamed.mistakes)


@pytest.mark.parametrize("freeze", [1, "all"])
def test_frozen_features_are_computed_from_disk(folder, streamed, tmp_path, freeze):
    recipe = replace(
        STREAMED, model=None, norm=None, weights=str(streamed.run), freeze=freeze, epochs=1,
        augment=AugmentConfig(flip="random"),
    )  # fmt: skip
    runs = [train(replace(recipe, stream=stream), folder, tmp_path / stream) for stream in ("on", "off")]
    assert same(*(tensors(result.run) for result in runs))


def test_unreadable_images_are_noted(tmp_path):
    folder = write_folder(tmp_path / "shapes", (20, 20, 20))
    before = train(replace(STREAMED, epochs=1), folder, tmp_path / "before")
    parts = read_split(RunFolder(before.run).split)
    train_image = next(name for name, part in parts.items() if part == "train")
    test_image = next(name for name, part in parts.items() if part == "test")
    for name in (train_image, test_image):
        (folder / name).write_bytes(b"no image")
    result = train(replace(STREAMED, epochs=1), folder, tmp_path / "run")
    unreadable = [note for note in result.notes if "cannot be read and are left out" in note]
    assert len(unreadable) == 2
    assert all(note.endswith(f"`verydeep data check {folder}` lists all") for note in unreadable)
    after = read_split(RunFolder(result.run).split)
    assert test_image not in after and after[train_image] == "train"
    assert result.test.images == before.test.images - 1


def test_many_unreadable_images_are_an_error_before_frozen_stages_are_trained_on(streamed, tmp_path):
    folder = write_folder(tmp_path / "shapes", (20, 20, 20))
    recipe = replace(STREAMED, model=None, norm=None, weights=str(streamed.run), freeze=1, epochs=1)
    parts = read_split(RunFolder(train(recipe, folder, tmp_path / "before").run).split)
    for name in [name for name, part in parts.items() if part == "train"][:6]:
        (folder / name).write_bytes(b"no image")
    with pytest.raises(DataError, match="6 of 36 images cannot be read, more than 5%") as error:
        train(recipe, folder, tmp_path / "run")
    assert f"`verydeep data check {folder}` lists all" in str(error.value)
    assert not RunFolder(tmp_path / "run").metrics.exists()
