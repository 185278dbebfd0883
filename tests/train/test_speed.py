"""What a budget affords follows from exact counts, and the speed it is divided by is measured."""

import pytest
import torch
from lightning_fabric import Fabric

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data import synthetic
from verydeep.data.augment import AugmentConfig
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.speed import STEP, affordable, measured_speed
from verydeep.train.transfer import fine_tune
from verydeep.train.tuning import FineTuneConfig, TuningState

NET = Architecture.from_string("8 M 16 M 16 M | gap", input=(3, 32, 32), classes=2)
STAGES = (3 * 8 * 9 * 32 * 32, 8 * 16 * 9 * 16 * 16, 16 * 16 * 9 * 8 * 8)
HEAD = 32


def plan(seconds, **changes):
    return affordable(NET, 100, 20, seconds, 1e6, FineTuneConfig(**{"epochs": 10, **changes}))


def whole_course(stages, views=2):
    """By hand, in seconds at a million multiply-adds each."""
    upper, lower = sum(STAGES[3 - stages :]) + HEAD, sum(STAGES[: 3 - stages])
    maps = (views * 100 + 20) * lower
    return (maps + 20 * upper + 10 * (STEP * 100 * upper + 20 * upper)) / 1e6


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_the_deepest_course_that_fits_is_taken(stages):
    found = plan(whole_course(stages) + 1e-6)
    assert (found.stages, found.epochs) == (stages, 10)
    assert found.seconds == pytest.approx(whole_course(stages))


def test_the_last_stage_is_cut_short_before_it_is_given_up():
    epoch = (STEP * 100 + 20) * (STAGES[2] + HEAD) / 1e6
    fixed = whole_course(1) - 10 * epoch
    assert plan(fixed + 7.5 * epoch).epochs == 7
    assert plan(fixed + 7.5 * epoch).stages == 1
    assert plan(fixed + 4.5 * epoch) is None


def test_images_that_are_not_mirrored_are_mapped_once():
    found = plan(whole_course(1, views=1) + 1e-6, augment=AugmentConfig())
    assert (found.stages, found.epochs) == (1, 10)
    assert plan(whole_course(1, views=1) + 1e-6).epochs < 10


def test_a_plan_is_kept_to_within_a_factor():
    """Small layers run below the speed of large ones, so that the forecast is no more than a guide."""
    torch.manual_seed(0)
    line = "16 M 32 M 64x3 M | gap"
    model = build(Architecture.from_string(line, input=(3, 32, 32), classes=3)).eval()
    images = synthetic.shapes(160, size=32, channels=3, classes=3)
    fabric = Fabric(accelerator="cpu", devices=1)
    config = FineTuneConfig(epochs=4, patience=4)
    speed = measured_speed(model, fabric)
    found = affordable(model.architecture, 128, 32, 1e4, speed, config)
    seen = Preprocess(size=32, channels=3, mean=(0.5,) * 3, std=(0.2,) * 3)
    state = TuningState(Checkpoint(model, seen, images.classes), config)
    train, val = images.select(torch.arange(128)), images.select(torch.arange(128, 160))
    list(fine_tune(state, train, val, fabric))
    assert found.stages == 3
    assert found.seconds / 10 < state.seconds < 30 * found.seconds
