"""Fine-tuning is the training loop with a pretrained start: frozen stages, rates by stage, the best epoch."""

from dataclasses import replace
from functools import cache

import pytest
import torch

from verydeep.data import synthetic
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.errors import RecipeError
from verydeep.evaluate.metrics import balanced_accuracy
from verydeep.models.logits import predict_logits
from verydeep.models.stages import split_at_stage
from verydeep.train.optimizer.build import build_optimizers
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.recipe import FEW_IMAGES, SMALL_BATCH, Recipe
from verydeep.train.state import ema_decay

from .shapes import FINE_TUNE, LEARNS_FAST, PREPROCESS, TRAIN, VAL, begin, bits, network, same, train_on

FAST = OptimizerConfig(name="adamw", lr=0.02, clip_norm=1.0)


@pytest.mark.parametrize("freeze", [1, 2, "all"])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_frozen_stages_keep_their_bits_and_all_else_changes(freeze, norm):
    start = network("16 M 32 M | gap", norm)
    before = bits(start.model)
    recipe = replace(FINE_TUNE, freeze=freeze, norm_statistics="updated", keep="last", optimizer=FAST)
    state = begin(recipe, start)
    train_on(state, recipe)
    after = bits(state.trained)
    frozen = split_at_stage(start.model, 0 if freeze == "all" else 2 - freeze)[0]
    expected = {f"features.{name}" for name in frozen.state_dict()}
    assert {name for name in after if torch.equal(after[name], before[name])} == expected
    assert same(
        {name: bits(state.model)[name] for name in expected}, {name: before[name] for name in expected}
    )


def test_more_stages_than_there_are_cannot_be_frozen():
    with pytest.raises(RecipeError, match=r"freeze is 3; .* has 2 stages, or give all"):
        begin(replace(FINE_TUNE, freeze=3))


def test_auto_freezes_nothing():
    assert len(begin(replace(FINE_TUNE, freeze="auto")).part.stages) == 2


@pytest.mark.slow
def test_frozen_stages_or_rates_of_almost_zero_give_the_same_training():
    """Without augmentation, training on frozen feature maps is training on pixels."""
    recipe = replace(FINE_TUNE, augment=AugmentConfig(), norm_statistics="frozen")
    frozen = replace(recipe, freeze=1)
    slow = replace(recipe, optimizer=replace(recipe.optimizer, stage_lr_decay=1e-12))
    on_maps = [result.train_loss for result in train_on(begin(frozen), frozen)]
    on_pixels = [result.train_loss for result in train_on(begin(slow), slow)]
    assert on_maps == pytest.approx(on_pixels, rel=1e-3)


def test_each_stage_has_a_lower_learning_rate_than_the_one_above():
    model = network("8 M 8 M 16 M | gap 16").model
    config = OptimizerConfig(name="adamw", lr=1e-4, head_lr_factor=5.0, stage_lr_decay=0.8)
    (optimizer,) = build_optimizers(split_at_stage(model, None)[1], config)
    rates = {id(p): group["peak_lr"] for group in optimizer.param_groups for p in group["params"]}
    expected = {"classifier.3": 5e-4, "classifier.0": 1e-4, "features.6": 1e-4, "features.3": 8e-5,
                "features.0": 6.4e-5}  # fmt: skip
    for name, lr in expected.items():
        layer = model.get_submodule(name)
        assert rates[id(layer.weight)] == rates[id(layer.bias)] == pytest.approx(lr)
    assert len(rates) == len(list(model.parameters()))


@pytest.mark.parametrize(
    ("steps", "decay"), [(20, 0.9), (100, 0.95), (500, 0.99), (1000, 0.995), (20_000, 0.999)]
)
def test_the_moving_average_spans_more_steps_in_longer_training(steps, decay):
    assert ema_decay(steps) == pytest.approx(decay)


@pytest.mark.slow
def test_the_best_epoch_is_that_of_the_validation_images():
    recipe = replace(FINE_TUNE, epochs=8, norm_statistics="updated")
    state = begin(recipe, network(*LEARNS_FAST))
    results = train_on(state, recipe)
    assert results[-1].val_balanced_accuracy > 0.6
    best = max(results, key=lambda result: (result.val_balanced_accuracy, -result.val_loss))
    assert (state.best.epoch, state.best.balanced_accuracy) == (best.epoch, best.val_balanced_accuracy)
    assert results[best.epoch - 1].is_best
    logits = predict_logits(state.best_network, VAL.pixels, PREPROCESS).numpy()
    assert balanced_accuracy(logits, VAL.labels.numpy()) == pytest.approx(best.val_balanced_accuracy)


@pytest.mark.slow
def test_a_network_that_only_gets_worse_is_kept_as_it_started():
    recipe = replace(FINE_TUNE, epochs=6, norm_statistics="updated")
    first = begin(recipe, network(*LEARNS_FAST))
    train_on(first, recipe)
    start = replace(network(*LEARNS_FAST), model=first.best_network)
    before = bits(start.model)
    ruin = replace(FINE_TUNE, epochs=2, optimizer=OptimizerConfig(name="adamw", lr=5.0, clip_norm=0.0))
    state = begin(ruin, start)
    results = train_on(state, ruin)
    assert state.best.epoch == 0
    assert not any(result.is_best for result in results)
    assert same(bits(state.best_network), before)


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping_ends_after_epochs_without_a_better_one(patience):
    recipe = replace(
        FINE_TUNE, epochs=30, early_stopping=patience, optimizer=replace(FAST, lr=1e-12), ema=0.0
    )  # fmt: skip
    state = begin(recipe)
    results = train_on(state, recipe)
    assert len(results) < 30
    assert results[-1].epoch - state.best.epoch == patience


@pytest.mark.slow
def test_early_stopping_is_off_at_zero():
    recipe = replace(FINE_TUNE, epochs=12, early_stopping=0, optimizer=replace(FAST, lr=1e-12))
    assert len(train_on(begin(recipe), recipe)) == 12


def test_few_images_keep_the_running_statistics_of_batch_norm():
    for statistics, is_kept in (("frozen", True), ("updated", False)):
        start = network("8 M 16 M | gap", "batch")
        before = bits(start.model)
        recipe = replace(FINE_TUNE, keep="last", epochs=2, norm_statistics=statistics, ema=0.0)
        state = begin(recipe, start)
        train_on(state, recipe)
        after = bits(state.trained)
        assert torch.equal(after["features.1.running_mean"], before["features.1.running_mean"]) is is_kept
        assert not torch.equal(after["features.1.weight"], before["features.1.weight"])


@pytest.mark.parametrize(
    ("weights", "images", "batch_size", "freezes"),
    [
        ("vgg16", FEW_IMAGES - 1, 32, True),
        ("vgg16", FEW_IMAGES, 32, False),
        ("vgg16", FEW_IMAGES, SMALL_BATCH - 1, True),
        (None, 10, 4, False),
    ],
)
def test_auto_freezes_batch_norm_for_few_images_and_small_batches(weights, images, batch_size, freezes):
    assert Recipe(weights=weights, batch_size=batch_size).freezes_batch_norm(images) is freezes


@pytest.mark.slow
def test_validation_images_are_not_augmented_and_never_trained_on():
    recipe = replace(FINE_TUNE, freeze=0)
    calls = []
    state = begin(recipe)

    def spy(state):
        calls.append(state.step)

    first = train_on(state, recipe, after_step=spy)
    assert len(calls) == 4 * (len(TRAIN) // 16)
    other = begin(recipe)
    swapped = VAL.select(torch.arange(len(VAL)).flip(0))  # the same images, in another order
    assert [r.train_loss for r in train_on(other, recipe, TRAIN, swapped)] == [r.train_loss for r in first]
    labels_changed = replace(VAL, labels=(VAL.labels + 1) % 3)
    third = begin(recipe)
    wrong = train_on(third, recipe, TRAIN, labels_changed)
    assert [r.train_loss for r in wrong] == [r.train_loss for r in first]
    assert [r.val_top1 for r in wrong] != [r.val_top1 for r in first]


def test_fewer_images_than_a_batch_are_one_batch():
    recipe = replace(FINE_TUNE, epochs=2)
    few = TRAIN.select(torch.arange(10))
    steps = []
    results = train_on(
        begin(recipe, train=few), recipe, few, after_step=lambda state: steps.append(state.step)
    )
    assert (len(results), steps) == (2, [1, 1])


def unbalanced(sizes, seed):
    images = synthetic.shapes(3 * max(sizes), size=16, classes=3, seed=seed)
    kept = torch.cat([torch.nonzero(images.labels == c).flatten()[:n] for c, n in enumerate(sizes)])
    return images.select(kept)


@cache
def balanced_accuracy_after(balance):
    train, val = unbalanced((300, 30, 10), 2), unbalanced((60, 60, 60), 3)
    recipe = replace(
        FINE_TUNE, epochs=20, norm_statistics="updated", balance=balance, keep="last",
        optimizer=OptimizerConfig(name="adamw", lr=1e-2, clip_norm=1.0), schedule=ScheduleConfig(warmup=0.1),
    )  # fmt: skip
    *_, last = train_on(begin(recipe, network(*LEARNS_FAST), train), recipe, train, val)
    return last.val_balanced_accuracy


@pytest.mark.slow
def test_logit_adjustment_raises_balanced_accuracy_on_imbalanced_classes():
    assert balanced_accuracy_after("auto") > balanced_accuracy_after("none") + 0.1


@pytest.mark.slow
@pytest.mark.parametrize("method", ["weights", "sampler"])
def test_so_do_loss_weights_and_the_balanced_sampler(method):
    assert balanced_accuracy_after(method) > balanced_accuracy_after("none") + 0.1
