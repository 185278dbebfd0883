"""The loop learns, stops where it should, and goes on to the same bits."""

import copy
import itertools

import pytest
import torch
from lightning_fabric import Fabric
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data import synthetic
from verydeep.data.augment import AugmentConfig
from verydeep.data.images import channel_statistics
from verydeep.errors import CheckpointError, LearningError
from verydeep.models.build import build
from verydeep.train.loop import Course, channels_last, fit
from verydeep.train.optimizer import OptimizerConfig, build_optimizers
from verydeep.train.schedule import ScheduleConfig
from verydeep.train.state import Tally, TrainingState, load_state, save_state

IMAGES = synthetic.shapes(200, size=16, classes=3, seed=1)
MEAN, STD = channel_statistics(IMAGES.pixels)
NET = Architecture.from_string("8 M 16 M | gap 16", norm="batch", input=(1, 16, 16), classes=3)


def course(**changes):
    values = {
        "train": IMAGES, "val": None, "preprocess": Preprocess(size=16, channels=1, mean=MEAN, std=STD),
        "epochs": 3, "batch_size": 20, "seed": 0, "schedule": ScheduleConfig(name="linear"),
        "augment": AugmentConfig(flip="random", shift=1), "label_smoothing": 0.1, "channels_last": True,
    }  # fmt: skip
    return Course(**{**values, **changes})


def fresh(optimizer="muon", ema=0.9, seed=0, net=NET, lr=0.05):
    torch.manual_seed(seed)
    model = build(net)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(ema), use_buffers=True) if ema else None
    optimizers = build_optimizers(model, OptimizerConfig(name=optimizer, lr=lr))
    return TrainingState(model, optimizers, Tally.zero(torch.device("cpu")), average)


@pytest.fixture
def fabric():
    return Fabric(accelerator="cpu", devices=1)


def bits(state):
    return {name: value.clone() for name, value in state.trained.state_dict().items()}


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_it_learns_and_says_so_every_epoch(fabric):
    results = list(fit(fresh(ema=0), course(val=IMAGES, epochs=6), fabric))
    assert [result.epoch for result in results] == [1, 2, 3, 4, 5, 6]
    assert results[-1].train_loss < results[0].train_loss
    assert results[-1].val_top1 > 0.8
    assert results[-1].lr < results[0].lr
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(results))


@pytest.mark.parametrize(("optimizer", "slices"), [("sgd", 1), ("adam", 1), ("muon", 1), ("muon", 2)])
def test_a_run_stopped_anywhere_goes_on_to_the_same_bits(fabric, tmp_path, optimizer, slices):
    whole = fresh(optimizer, lr=0.01)
    expected = list(fit(whole, course(slices=slices), fabric))

    class StopError(Exception):
        pass

    def stop_in_second_epoch(state):
        if (state.epoch, state.step) == (1, 4):
            save_state(state, tmp_path / "state.pt")
            raise StopError

    with pytest.raises(StopError):
        list(fit(fresh(optimizer, lr=0.01), course(slices=slices), fabric, stop_in_second_epoch))
    torch.rand(17)  # the world goes on in between
    resumed = fresh(optimizer, seed=5, lr=0.01)
    load_state(resumed, tmp_path / "state.pt")
    results = list(fit(resumed, course(slices=slices), fabric))
    assert same(bits(resumed), bits(whole))
    assert [result.train_loss for result in results] == [result.train_loss for result in expected[1:]]


def test_dropout_goes_on_where_it_was(fabric, tmp_path):
    net = Architecture.from_string("8 M | gap 64", input=(1, 16, 16), classes=3, dropout=0.5)
    whole = fresh("sgd", 0, net=net)
    list(fit(whole, course(), fabric))
    halved = fresh("sgd", 0, net=net)
    next(fit(halved, course(), fabric))
    save_state(halved, tmp_path / "state.pt")
    resumed = fresh("sgd", 0, seed=3, net=net)
    load_state(resumed, tmp_path / "state.pt")
    list(fit(resumed, course(), fabric))
    assert same(bits(resumed), bits(whole))


def test_the_average_is_what_is_kept(fabric):
    state = fresh(ema=0.9)
    list(fit(state, course(epochs=1), fabric))
    assert state.trained is not state.model
    assert not same(bits(state), state.model.state_dict())


def test_a_plateau_ends_training(fabric):
    schedule = ScheduleConfig(name="plateau", patience=1, drops=1)
    one_class = copy.copy(IMAGES)
    state = fresh("sgd", 0, lr=1e-6)
    results = list(fit(state, course(val=one_class, epochs=50, schedule=schedule), fabric))
    assert len(results) < 20
    assert results[-1].lr == pytest.approx(1e-7)


def test_steps_too_long_stop_with_the_remedy(fabric):
    net = Architecture.from_string("8x4 | gap", "four", input=(1, 16, 16), classes=3)
    with pytest.raises(LearningError, match="the loss of four is nan"):
        list(fit(fresh("sgd", 0, net=net, lr=1e6), course(), fabric))


@pytest.mark.slow
def test_a_network_that_cannot_learn_stops_at_chance(fabric):
    net = Architecture.from_string("4 | gap", "dead", input=(1, 16, 16), classes=3)
    state = fresh("sgd", 0, net=net, lr=1e-12)
    balanced = course(train=synthetic.shapes(3000, size=16, classes=3, seed=1), batch_size=10, epochs=3)
    for parameter in state.model.parameters():
        parameter.data.zero_()
    with pytest.raises(LearningError, match="is at chance"):
        list(fit(state, balanced, fabric))


def test_a_broken_state_is_named(tmp_path):
    path = tmp_path / "state.pt"
    save_state(fresh(), path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match="is broken and cannot be resumed"):
        load_state(fresh(), path)


def test_the_state_of_another_network_is_named(tmp_path):
    save_state(fresh(), tmp_path / "state.pt")
    other = Architecture.from_string("4 M | gap", norm="batch", input=(1, 16, 16), classes=3)
    with pytest.raises(CheckpointError, match="of another network or recipe"):
        load_state(fresh(net=other), tmp_path / "state.pt")


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_last_keeps_every_value(channels):
    images = torch.randn(2, channels, 4, 5)
    moved = channels_last(images)
    assert torch.equal(moved, images)
    assert moved.stride(1) == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_it_learns_on_a_gpu():
    fabric = Fabric(accelerator="cuda", devices=1, precision="bf16-mixed")
    torch.manual_seed(0)
    model = build(NET).to("cuda")
    state = TrainingState(
        model,
        build_optimizers(model, OptimizerConfig(name="muon", lr=0.05)),
        Tally.zero(torch.device("cuda")),
    )
    results = list(fit(state, course(train=IMAGES.to("cuda"), val=IMAGES, epochs=6), fabric))
    assert results[-1].val_top1 > 0.8
