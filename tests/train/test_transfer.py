"""Fine-tuning moves what it should and nothing else, keeps the best epoch, and keeps to its time."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from lightning_fabric import Fabric
from verydeep.train.session import ema_decay, rates
from verydeep.train.transfer import fine_tune
from verydeep.train.tuning import FineTuneConfig, TuningState, fresh, scratch_config

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data import synthetic
from verydeep.data.augment import AugmentConfig
from verydeep.data.images import channel_statistics
from verydeep.data.normalize import normalize
from verydeep.errors import DataError, LearningError
from verydeep.evaluate.logits import predict_logits
from verydeep.evaluate.metrics import balanced_accuracy
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.stages import split_at_stage
from verydeep.train.frozen_features import PixelInputs, fill, map_inputs

IMAGES = synthetic.shapes(240, size=16, classes=3, seed=1)
TRAIN, VAL = IMAGES.select(torch.arange(160)), IMAGES.select(torch.arange(160, 240))
MEAN, STD = channel_statistics(TRAIN.pixels)
SEEN = Preprocess(size=16, channels=1, mean=MEAN, std=STD)
CPU = torch.device("cpu")


MIRROR = AugmentConfig(flip="random")


@pytest.fixture
def fabric():
    return Fabric(accelerator="cpu", devices=1)


def network(line="8 M 16 M | gap 16", norm="none", seed=0, **settings):
    torch.manual_seed(seed)
    model = build(Architecture.from_string(line, norm=norm, input=(1, 16, 16), classes=3, **settings)).eval()
    return Checkpoint(model, SEEN, TRAIN.classes)


LEARNER = network("16 M 32 M | gap", "batch")
"""Has new weights, and is quick to learn."""


def begun(source=None, **changes):
    return TuningState(
        source or network(),
        FineTuneConfig(**{"lr": 5e-3, "head_factor": 1.0, "epochs": 4, "batch_size": 16, **changes}),
    )


def bits(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("stages", [0, 1])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_what_is_frozen_keeps_its_bits(fabric, stages, norm):
    source = network("16 M 32 M | gap", norm)
    before = bits(source.model)
    state = begun(source, stages=stages, norms="trained", lr=0.05)
    list(fine_tune(state, TRAIN, VAL, fabric))
    assert state.best.epoch > 0
    after = bits(state.kept().model)
    frozen = {f"features.{name}" for name in split_at_stage(source.model, stages)[0].state_dict()}
    assert {name for name in after if torch.equal(after[name], before[name])} == frozen
    assert all(torch.equal(value, before[name]) for name, value in bits(source.model).items())


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_maps_kept_are_those_computed(fabric, norm):
    model = network("8 M 16 M | gap", norm).model
    below, above = split_at_stage(model, 1)
    pixels = PixelInputs(TRAIN, VAL, SEEN, AugmentConfig(flip="random"), 0, CPU)
    with map_inputs(below, pixels, fabric) as maps:
        assert sum(fill(maps, below, pixels, fabric)) == 2 * len(TRAIN) + len(VAL)
        places = torch.arange(40)
        shown = maps.batch(places, epoch=0, step=0)
        plain = below(normalize(TRAIN.pixels[places], SEEN))
        turned = below(normalize(TRAIN.pixels[places].flip(-1), SEEN))
        as_is = torch.isclose(shown, plain, atol=1e-5).flatten(1).all(1)
        mirrored = torch.isclose(shown, turned, atol=1e-5).flatten(1).all(1)
        assert (as_is ^ mirrored).all()
        assert 8 < int(mirrored.sum()) < 32  # about half of them
        whole = model(normalize(VAL.pixels, SEEN))
        logits = torch.cat([above(each) for each in maps.validation()])
        assert torch.allclose(logits, whole, atol=1e-5)


def test_maps_that_are_many_go_to_a_file_and_give_the_same(fabric):
    first, second = begun(stages=1), begun(stages=1)
    in_memory = list(fine_tune(first, TRAIN, VAL, fabric))
    on_disk = list(fine_tune(second, TRAIN, VAL, fabric, memory_limit=1000))
    assert [result.train_loss for result in in_memory] == [result.train_loss for result in on_disk]


def test_maps_without_room_are_refused(fabric, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100})())
    with pytest.raises(DataError, match=r"maps of 400 images take .* Train all stages"):
        list(fine_tune(begun(stages=1), TRAIN, VAL, fabric, memory_limit=0))


def test_all_stages_and_none_frozen_see_the_same_pixels(fabric):
    """Without augmentation, training above frozen maps is training with the lower rates at nothing."""
    still = AugmentConfig()
    above = begun(stages=1, augment=still)
    whole = begun(augment=still, stage_decay=1e-12)
    of_maps = [result.train_loss for result in fine_tune(above, TRAIN, VAL, fabric)]
    of_pixels = [result.train_loss for result in fine_tune(whole, TRAIN, VAL, fabric)]
    assert of_maps == pytest.approx(of_pixels, rel=1e-3)


def test_each_stage_learns_slower_than_the_one_above():
    source = network("8 M 8 M 16 M | gap 16")
    _, part = split_at_stage(source.model, None)
    config = FineTuneConfig(lr=1e-4, head_factor=5.0, stage_decay=0.8)
    by_id = {id(p): lr for parameters, lr in rates(part, config) for p in parameters}
    model = source.model
    expected = {"classifier.3": 5e-4, "classifier.0": 1e-4, "features.6": 1e-4, "features.3": 8e-5,
                "features.0": 6.4e-5}  # fmt: skip
    for name, lr in expected.items():
        assert by_id[id(model.get_submodule(name).weight)] == pytest.approx(lr)
    assert len(by_id) == len(list(model.parameters()))


@pytest.mark.parametrize(
    ("steps", "decay"), [(20, 0.9), (100, 0.95), (500, 0.99), (1000, 0.995), (20_000, 0.999)]
)
def test_the_average_spans_more_steps_in_longer_training(steps, decay):
    assert ema_decay(steps) == pytest.approx(decay)


def test_what_is_kept_is_the_average(fabric):
    long, short = begun(stages=1, epochs=1), begun(stages=1, epochs=1)
    list(fine_tune(long, TRAIN, VAL, fabric))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("verydeep.train.session.ema_decay", lambda steps: 0.0)
        list(fine_tune(short, TRAIN, VAL, fabric))
    assert not torch.equal(long.best.tensors["head.0.weight"], short.best.tensors["head.0.weight"])


def test_the_best_epoch_is_kept(fabric):
    state = begun(LEARNER, epochs=8, patience=8, norms="trained", augment=MIRROR)
    results = list(fine_tune(state, TRAIN, VAL, fabric))
    assert results[-1].val_balanced > 0.6
    best = max(results, key=lambda result: (result.val_balanced, -result.val_loss))
    assert (state.best.epoch, state.best.balanced) == (best.epoch, best.val_balanced)
    logits = predict_logits(state.kept().model, VAL.pixels, SEEN)
    assert balanced_accuracy(logits, VAL.labels) == pytest.approx(best.val_balanced)
    assert [result.is_best for result in results][best.epoch - 1]


def test_training_ends_when_validation_stalls(fabric):
    state = begun(lr=1e-12, epochs=30, patience=2)
    results = list(fine_tune(state, TRAIN, VAL, fabric))
    assert len(results) < 30
    assert not any(result.is_best for result in results[-2:])


def test_a_network_that_only_gets_worse_is_kept_as_it_came(fabric):
    state = begun(LEARNER, epochs=6)
    list(fine_tune(state, TRAIN, VAL, fabric))
    again = TuningState(state.kept(), FineTuneConfig(lr=5.0, head_factor=1.0, clip=1e9, epochs=2, seed=3))
    list(fine_tune(again, TRAIN, VAL, fabric))
    assert again.best.epoch == 0
    ours, theirs = bits(again.kept().model), bits(state.kept().model)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_deadline_ends_it_in_time_with_the_rate_at_nothing(fabric, monkeypatch):
    looks = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: next(looks) / 100)  # each look at it takes 10 ms
    monkeypatch.setattr("verydeep.train.session.time", clock)
    state = begun(epochs=100_000, patience=100_000)
    results = list(fine_tune(state, TRAIN, VAL, fabric, deadline_s=3.0))
    assert 2.5 < results[-1].seconds < 3.1
    assert results[-1].lr < 0.01 * max(result.lr for result in results)


def test_a_deadline_that_passes_with_the_maps_leaves_the_network(fabric):
    state = begun(stages=1)
    assert list(fine_tune(state, TRAIN, VAL, fabric, deadline_s=0.0)) == []
    assert state.kept() is state.network


def test_what_stops_it_leaves_the_best_so_far(fabric):
    state = begun(stages=1, epochs=8)

    def stop(state):
        if (state.epoch, state.step) == (2, 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(fine_tune(state, TRAIN, VAL, fabric, after_step=stop))
    assert state.best is not None
    assert predict_logits(state.kept().model, VAL.pixels, SEEN).shape == (80, 3)


def test_what_stops_it_before_the_first_step_leaves_the_network(fabric):
    state = begun(stages=1)

    def stop(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(fine_tune(state, TRAIN, VAL, fabric, after_step=stop))
    assert state.kept() is state.network


def test_few_images_keep_the_statistics_of_batch_norm(fabric):
    source = network("8 M 16 M | gap", "batch")
    for norms, same in (("auto", True), ("trained", False)):
        state = begun(source, norms=norms, epochs=2)
        list(fine_tune(state, TRAIN, VAL, fabric))
        kept = state.kept().model
        assert torch.equal(kept.features[1].running_mean, source.model.features[1].running_mean) is same
        assert not torch.equal(kept.features[1].weight, source.model.features[1].weight)


def test_the_same_seed_gives_the_same_bits(fabric):
    runs = [[result.train_loss for result in fine_tune(begun(), TRAIN, VAL, fabric)] for _ in range(2)]
    assert runs[0] == runs[1]


def test_steps_too_long_stop_with_the_remedy(fabric):
    source = network("8x4 | gap")
    with pytest.raises(LearningError, match=r"the loss of .* is nan"):
        list(fine_tune(begun(source, lr=1e30, clip=1e30), TRAIN, VAL, fabric))


def test_new_weights_are_the_seeds_and_learn(fabric):
    source = network("8 M 16 M | gap", "batch")
    state = torch.get_rng_state()
    first, second = fresh(source, 4), fresh(source, 4)
    assert torch.equal(state, torch.get_rng_state())
    assert all(
        torch.equal(a, b)
        for a, b in zip(bits(first.model).values(), bits(second.model).values(), strict=True)
    )
    assert not torch.equal(first.model.classifier[0].weight, source.model.classifier[0].weight)
    config = scratch_config(first.model.architecture, epochs=12, lr=1e-2, batch_size=16, augment=MIRROR)
    tuning = TuningState(first, config)
    results = list(fine_tune(tuning, TRAIN, VAL, fabric))
    assert tuning.best.balanced > 0.6
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(results))


def unbalanced(sizes, seed):
    images = synthetic.shapes(3 * max(sizes), size=16, classes=3, seed=seed)
    kept = torch.cat([torch.nonzero(images.labels == c).flatten()[:n] for c, n in enumerate(sizes)])
    return images.select(kept)


def balanced_after(balance, fabric):
    train, val = unbalanced((300, 30, 10), 2), unbalanced((60, 60, 60), 3)
    state = begun(LEARNER, lr=1e-2, epochs=8, patience=8, norms="trained", balance=balance, augment=MIRROR)
    *_, last = fine_tune(state, train, val, fabric)
    return last.val_balanced


def test_adjusted_logits_raise_balanced_accuracy_where_classes_are_unlike(fabric):
    assert balanced_after("auto", fabric) > balanced_after("none", fabric) + 0.1


@pytest.mark.slow
@pytest.mark.parametrize("remedy", ["weights", "sampler"])
def test_so_does_every_other_remedy(fabric, remedy):
    assert balanced_after(remedy, fabric) > balanced_after("none", fabric) + 0.1


def test_fewer_images_than_a_batch_are_one_batch(fabric):
    state = begun(epochs=2)
    few = TRAIN.select(torch.arange(10))
    results = list(fine_tune(state, few, replace(VAL), fabric))
    assert state.steps == 1
    assert len(results) == 2
