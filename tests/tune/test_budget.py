"""What a time budget allows follows from exact multiply-adds and a measured speed."""

from math import inf

import pytest
import torch

from verydeep.architecture.architecture import Architecture
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.models.build import build
from verydeep.number_format import duration
from verydeep.train.recipe import Recipe
from verydeep.train.run import fabric_on
from verydeep.tune.budget import (
    LEAST_EPOCHS,
    SLACK,
    STARTUP,
    STEP_COST,
    Plan,
    Skipped,
    Work,
    least_plan,
    least_scratch_seconds,
    measured_speed,
    plan_fine_tuning,
)

NET = Architecture.from_string("8 M 16 M 16 M | gap", input=(3, 32, 32), classes=2)
STAGES = (3 * 8 * 9 * 32 * 32, 8 * 16 * 9 * 16 * 16, 16 * 16 * 9 * 8 * 8)
HEAD = 32
WORK = Work(train=100, val=20, macs_per_second=1e6)
FLIPS = AugmentConfig(flip="random")


def plan(seconds, budget=100.0, **changes):
    recipe = Recipe(**{"epochs": 10, "augment": FLIPS, **changes})
    return plan_fine_tuning(recipe, NET, WORK, seconds, budget)


def all_epochs(freeze, views=2, epochs=10):
    """By hand, in seconds at a million multiply-adds each."""
    trained, frozen = sum(STAGES[freeze:]) + HEAD, sum(STAGES[:freeze])
    maps = (views * 100 + 20) * frozen
    return (maps + 20 * trained + epochs * (STEP_COST * 100 * trained + 20 * trained)) / 1e6


@pytest.mark.parametrize("freeze", [0, 1, 2])
def test_the_most_stages_that_fit_are_trained(freeze):
    found = plan(all_epochs(freeze) + 1e-6)
    assert (found.freeze, found.epochs) == (freeze, 10)
    assert found.seconds == pytest.approx(all_epochs(freeze))


@pytest.mark.parametrize("freeze", [0, 1, 2])
def test_a_little_less_time_trains_a_stage_less(freeze):
    found = plan(all_epochs(freeze) - 1e-6)
    assert found.freeze == min(freeze + 1, 2)


def test_epochs_of_the_last_stage_are_cut_before_it_is_skipped():
    epoch = (STEP_COST * 100 + 20) * (STAGES[2] + HEAD) / 1e6
    once = all_epochs(2) - 10 * epoch
    shorter = plan(once + 7.5 * epoch)
    assert (shorter.freeze, shorter.epochs) == (2, 7)
    assert shorter.seconds == pytest.approx(once + 7 * epoch)
    assert plan(once + 5.01 * epoch).epochs == LEAST_EPOCHS == 5
    skipped = plan(once + 4.99 * epoch)
    assert isinstance(skipped, Skipped)
    assert skipped.seconds == pytest.approx(once + 5 * epoch)


def test_skipping_states_the_time_and_the_budget_that_would_do():
    skipped = plan(1.0, budget=60.0)
    least = all_epochs(2, epochs=5)
    needed = -(-(60 - 1 + least) // 60)
    assert f"would take {duration(least)} here" in skipped.reason
    assert (
        f"of the budget of {duration(60)} {duration(1)} were left; --budget {needed:.0f}m" in skipped.reason
    )
    assert plan(60 * needed - 59, budget=60 * needed).epochs >= 5


def test_features_in_the_cache_are_not_asked_for_again():
    """31 minutes of extraction are not part of the budget that another run needs."""
    recipe = Recipe(epochs=10, augment=FLIPS)
    slow = Work(train=100, val=20, macs_per_second=1e4)
    skipped = plan_fine_tuning(recipe, NET, slow, 300.0 - 1900.0, 300.0, 1860.0)
    needed = -(-(40 + least_plan(recipe, NET, slow).seconds) // 60)
    assert f"--budget {needed:.0f}m allows it, as features are in the cache now" in skipped.reason


def test_a_negative_rest_of_the_budget_skips():
    assert isinstance(plan(-5.0), Skipped)


def test_without_flips_feature_maps_are_computed_once():
    found = plan(all_epochs(2, views=1) + 1e-6, augment=AugmentConfig())
    assert (found.freeze, found.epochs) == (2, 10)
    assert plan(all_epochs(2, views=1) + 1e-6).epochs < 10


@pytest.mark.parametrize(("freeze", "planned"), [(0, 0), (1, 1), (2, 2), ("all", 3)])
def test_a_given_number_of_frozen_stages_is_kept(freeze, planned):
    found = plan(1e9, freeze=freeze)
    assert (found.freeze, found.seconds) == (planned, pytest.approx(all_epochs(planned)))
    tight = plan((all_epochs(planned) + all_epochs(planned, epochs=9)) / 2, freeze=freeze)
    assert (tight.freeze, tight.epochs) == (planned, 9)


def test_a_recipe_of_fewer_epochs_needs_no_more_than_these():
    found = plan(all_epochs(2, epochs=2) + 1e-6, epochs=2)
    assert (found.freeze, found.epochs) == (2, 2)
    assert least_plan(Recipe(epochs=2, augment=FLIPS), NET, WORK).epochs == 2


def test_the_least_plan_trains_the_last_stage_for_five_epochs():
    least = least_plan(Recipe(epochs=10, augment=FLIPS), NET, WORK)
    assert (least.freeze, least.epochs) == (2, 5)
    assert least.seconds == pytest.approx(all_epochs(2, epochs=5))


def test_the_least_training_from_scratch_is_three_epochs():
    macs = sum(STAGES) + HEAD
    assert least_scratch_seconds(NET, WORK) == pytest.approx(3 * (STEP_COST * 100 + 20) * macs / 1e6)


@pytest.mark.parametrize(
    ("left", "limit"), [(5.0, 10.0), (11.0, 11.0), (99.0, 10.0 * SLACK + STARTUP), (inf, inf)]
)
def test_training_may_take_its_forecast_and_some_slack_if_there_is_time(left, limit):
    assert Plan(freeze=0, epochs=3, seconds=10.0).limit(left) == limit


def test_the_speed_is_that_of_the_network_on_this_machine():
    torch.manual_seed(0)
    net = Architecture.from_string("16 M 32 M 64x3 M | gap", input=(3, 32, 32), classes=3)
    speed = measured_speed(build(net), fabric_on(torch.device("cpu"), "fp32"))
    assert 1e7 < speed < 1e13


def test_the_speed_is_measured_on_random_pixels_which_pooling_takes_longer_for_than_for_equal_ones():
    model = build(Architecture.from_string("8 M | gap", input=(3, 32, 32), classes=3))
    batches = []
    model.register_forward_pre_hook(lambda model, inputs: batches.append(inputs[0]))
    before = torch.get_rng_state()
    measured_speed(model, fabric_on(torch.device("cpu"), "fp32"))
    assert batches[0].unique().numel() > 0.9 * batches[0].numel()
    assert torch.equal(torch.get_rng_state(), before)
