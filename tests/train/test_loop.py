"""The training loop learns, stops where it should, and a resumed run ends with the same bits."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from verydeep.architecture.architecture import Architecture
from verydeep.data import synthetic
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.images import Images
from verydeep.errors import CheckpointError, LearningError
from verydeep.inputs.augmented_batch import to_channels_last
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.run import fabric_on
from verydeep.train.state_file import load_state, pack, write_packed

from .shapes import (
    FINE_TUNE,
    LEARNS_FAST,
    PLAIN,
    PREPROCESS,
    TRAIN,
    VAL,
    begin,
    bits,
    network,
    same,
    train_on,
)

MUON = replace(
    PLAIN, ema=0.9, label_smoothing=0.1, augment=AugmentConfig(flip="random", shift=1),
    schedule=ScheduleConfig(name="linear"), optimizer=OptimizerConfig(name="muon", lr=0.05),
)  # fmt: skip
RECIPES = {
    "sgd": replace(MUON, optimizer=OptimizerConfig(name="sgd", lr=0.01)),
    "adam": replace(MUON, optimizer=OptimizerConfig(name="adam", lr=0.01)),
    "muon": replace(MUON, optimizer=OptimizerConfig(name="muon", lr=0.01)),
    "slices": replace(MUON, optimizer=OptimizerConfig(name="muon", lr=0.01), slices=2),
    "fine-tuning": FINE_TUNE,
    "frozen stage": replace(FINE_TUNE, freeze=1),
    "mixed images": replace(MUON, augment=AugmentConfig(mixup=0.5, cutmix=1.0), balance="weights"),
    "sampler": replace(FINE_TUNE, balance="sampler"),
    "hardest": replace(MUON, hardest=0.7, slices=2, epochs=4),
    "plateau": replace(FINE_TUNE, schedule=ScheduleConfig(name="plateau", patience=1), keep="last"),
}


class StopError(Exception):
    """Ends a training where a test wants it."""


def test_every_epoch_gives_a_result_and_the_network_learns():
    recipe = replace(MUON, epochs=6, validation=0.3, ema=0.0)
    results = train_on(begin(recipe, network(*LEARNS_FAST)), recipe)
    assert [result.epoch for result in results] == [1, 2, 3, 4, 5, 6]
    assert {result.epochs for result in results} == {6}
    assert results[-1].train_loss < results[0].train_loss
    assert results[-1].val_top1 > 0.8
    assert results[-1].val_balanced_accuracy > 0.8
    assert results[-1].lr < results[0].lr
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(results))


def test_which_epoch_is_kept_changes_nothing_of_how_slices_are_trained():
    recipe = replace(PLAIN, slices=2, validation=0.3, epochs=1)
    last, best = begin(recipe, network(norm="batch")), begin(recipe, network(norm="batch"))
    train_on(last, recipe)
    train_on(best, replace(recipe, keep="best"))  # which validates first
    assert same(last.part.state_dict(), best.part.state_dict())


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_run_stopped_anywhere_resumes_to_the_same_bits(tmp_path, name):
    recipe = RECIPES[name]
    whole = begin(recipe, network(norm="batch"))
    expected = train_on(whole, recipe)

    def stop_in_second_epoch(state):
        if (state.epoch, state.step) == (1, 4):
            write_packed(pack(state), tmp_path / "state.pt")
            raise StopError

    with pytest.raises(StopError):
        train_on(begin(recipe, network(norm="batch")), recipe, after_step=stop_in_second_epoch)
    torch.rand(17)  # random numbers are used in between
    resumed = begin(recipe, network(norm="batch", seed=5))
    load_state(resumed, tmp_path / "state.pt")
    results = train_on(resumed, recipe)
    assert same(bits(resumed.best_network), bits(whole.best_network))
    assert same(bits(resumed.trained), bits(whole.trained))
    assert [result.train_loss for result in results] == [result.train_loss for result in expected[1:]]
    assert [result.is_best for result in results] == [result.is_best for result in expected[1:]]


def test_dropout_resumes_with_the_same_random_numbers(tmp_path):
    start = {"string": "8 M | gap 64", "dropout": 0.5}
    torch.manual_seed(1)
    whole = begin(PLAIN, network(**start))
    torch.manual_seed(1)
    train_on(whole, PLAIN)
    half = begin(PLAIN, network(**start))
    torch.manual_seed(1)
    recipe = PLAIN

    def stop_after_first_epoch(state):
        if (state.epoch, state.step) == (1, 1):
            write_packed(pack(state), tmp_path / "state.pt")
            raise StopError

    with pytest.raises(StopError):
        train_on(half, recipe, after_step=stop_after_first_epoch)
    resumed = begin(PLAIN, network(**start, seed=3))
    load_state(resumed, tmp_path / "state.pt")
    train_on(resumed, PLAIN)
    assert same(bits(resumed.trained), bits(whole.trained))


def test_the_moving_average_is_what_is_kept():
    state = begin(replace(MUON, epochs=1))
    train_on(state, replace(MUON, epochs=1))
    assert not same(bits(state.trained), bits(state.model))


def test_without_an_average_the_weights_of_the_last_step_are_kept():
    state = begin(PLAIN)
    train_on(state, PLAIN)
    assert state.trained is state.model


def test_a_plateau_divides_the_learning_rate_and_ends_training():
    recipe = replace(
        PLAIN, epochs=50, validation=0.3, optimizer=OptimizerConfig(name="sgd", lr=1e-6),
        schedule=ScheduleConfig(name="plateau", patience=1, drops=1),
    )  # fmt: skip
    results = train_on(begin(recipe), recipe)
    assert len(results) < 20
    assert results[-1].lr == pytest.approx(1e-7)


@pytest.mark.parametrize("norm_of_gradient", [0.0, 0.01])
def test_gradients_are_clipped_to_their_norm(norm_of_gradient):
    recipe = replace(
        PLAIN, epochs=1, batch_size=160, schedule=ScheduleConfig(name="constant"),
        optimizer=OptimizerConfig(lr=1.0, momentum=0.0, weight_decay=0.0, clip_norm=norm_of_gradient),
    )  # fmt: skip
    state = begin(recipe)
    before = bits(state.model)
    train_on(state, recipe)
    step = torch.cat([(before[name] - value).flatten() for name, value in bits(state.model).items()])
    length = float(step.norm())
    assert length == pytest.approx(0.01, rel=1e-3) if norm_of_gradient else length > 0.03


def test_a_loss_that_is_not_finite_stops():
    recipe = replace(PLAIN, optimizer=OptimizerConfig(lr=1e6))
    with pytest.raises(LearningError, match=r"the loss of four is (nan|inf): training diverged"):
        train_on(begin(recipe, network("8x4 | gap", name="four")), recipe)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_weights_that_the_last_step_made_infinite_stop(ema):
    recipe = replace(
        PLAIN, epochs=1, ema=ema, batch_size=len(TRAIN), schedule=ScheduleConfig(name="constant"),
        optimizer=OptimizerConfig(name="sgd", lr=1e30, weight_decay=1e10),
    )  # fmt: skip
    with pytest.raises(LearningError, match="weights of four are NaN or infinite: training diverged"):
        train_on(begin(recipe, network("8x4 | gap", name="four")), recipe)


@pytest.mark.slow
def test_a_network_that_cannot_learn_stops_at_chance():
    recipe = replace(PLAIN, batch_size=10, optimizer=OptimizerConfig(lr=1e-12))
    start = network("4 | gap", name="dead")
    for parameter in start.model.parameters():
        parameter.data.zero_()
    many = synthetic.shapes(3000, size=16, classes=3, seed=1)
    with pytest.raises(LearningError, match="dead is at chance"):
        train_on(begin(recipe, start, many), recipe, many)


@pytest.mark.parametrize("balance", ["none", "weights"])
def test_a_class_of_one_image_does_not_look_like_chance(monkeypatch, balance):
    monkeypatch.setattr("verydeep.train.divergence.FAIR_STEPS", 60)
    labels = torch.arange(41).minimum(torch.tensor(40)) // 20  # 20, 20 and 1 images
    pixels = (labels * 100 + 20).to(torch.uint8)[:, None, None, None].expand(-1, 1, 16, 16).clone()
    recipe = replace(PLAIN, epochs=40, batch_size=20, balance=balance, optimizer=OptimizerConfig(lr=0.02))
    train = Images(pixels, labels, TRAIN.classes)
    results = train_on(begin(recipe, network(*LEARNS_FAST), train), recipe, train)
    assert results[-1].train_top1 > 0.97


@pytest.mark.slow
@pytest.mark.parametrize("hardest", [1.0, 0.3])
def test_a_deadline_plans_fewer_epochs_and_the_learning_rate_falls_to_its_end(monkeypatch, hardest):
    calls = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: next(calls) / 100)  # each call takes 10 ms
    monkeypatch.setattr("verydeep.train.loop.time", clock)
    recipe = replace(FINE_TUNE, epochs=100_000, hardest=hardest)
    state = begin(recipe)
    results = train_on(state, recipe, deadline=10.0)
    assert 2 < len(results) < 100
    assert results[-1].epoch == results[-1].epochs == state.epochs
    assert next(calls) / 100 < 12
    assert results[-1].lr < 0.05 * max(result.lr for result in results)


def test_a_deadline_that_has_passed_leaves_the_network_as_it_started():
    start = network()
    before = bits(start.model)
    state = begin(FINE_TUNE, start)
    assert train_on(state, FINE_TUNE, deadline=0.0) == []
    assert same(bits(state.best_network), before)
    assert state.best.epoch == 0


def test_the_least_epochs_are_made_after_the_deadline():
    state = begin(FINE_TUNE)
    results = train_on(state, FINE_TUNE, deadline=0.0, least_epochs=2)
    assert [result.epoch for result in results] == [1, 2] and state.epochs == 2 < FINE_TUNE.epochs


@pytest.mark.slow
def test_epochs_that_a_deadline_has_cut_are_cut_in_the_saved_state_too(monkeypatch, tmp_path):
    calls = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: next(calls) / 100)
    monkeypatch.setattr("verydeep.train.loop.time", clock)
    recipe = replace(FINE_TUNE, epochs=1000)
    state = begin(recipe)
    planned = train_on(state, recipe, deadline=10.0)[-1].epochs
    write_packed(pack(state), tmp_path / "state.pt")
    resumed = begin(recipe)
    load_state(resumed, tmp_path / "state.pt")
    assert resumed.epochs == planned < 1000
    assert train_on(resumed, recipe) == []


def test_a_truncated_state_is_named(tmp_path):
    path = tmp_path / "state.pt"
    write_packed(pack(begin(MUON)), path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match="is broken and cannot be resumed"):
        load_state(begin(MUON), path)


def test_the_state_of_another_network_is_named(tmp_path):
    write_packed(pack(begin(MUON)), tmp_path / "state.pt")
    with pytest.raises(CheckpointError, match="of another network or recipe"):
        load_state(begin(MUON, network("4 M | gap")), tmp_path / "state.pt")


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_last_keeps_every_value(channels):
    images = torch.randn(2, channels, 4, 5)
    moved = to_channels_last(images)
    assert torch.equal(moved, images)
    assert moved.stride(1) == 1


@pytest.mark.gpu
@pytest.mark.parametrize("freeze", [0, 1])
def test_it_learns_on_a_gpu(freeze):
    fabric = fabric_on(torch.device("cuda"), "bf16")
    torch.manual_seed(0)
    string, norm = LEARNS_FAST
    architecture = Architecture.from_string(string, norm=norm, input=(1, 16, 16), classes=3)
    start = Checkpoint(build(architecture), PREPROCESS, TRAIN.classes)
    recipe = replace(FINE_TUNE, epochs=12, freeze=freeze, norm_statistics="updated", precision="bf16")
    state = begin(recipe, start, fabric=fabric)
    results = train_on(state, recipe, TRAIN, VAL, fabric)
    assert results[-1].val_top1 > 0.5
