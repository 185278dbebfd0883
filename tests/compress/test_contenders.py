"""Small networks from scratch: which ones are trained, and for how long."""

from dataclasses import replace

import pytest

from verydeep.compress.contenders import contender_recipe, contenders, small_architecture
from verydeep.compress.steps.distill import EPOCHS
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.recipe import Recipe, read_recipe, to_toml

from .networks import checkpoint


@pytest.mark.parametrize(
    ("size", "string"),
    [
        (14, "16 M 32 | gap"),
        (28, "16 M 32 M 64 | gap"),
        (48, "16 M 32 M 64 M 128 | gap"),
        (96, "16 M 32 M 64 M 128 M 128 | gap"),
        (8, "16 M 32 | gap"),
    ],
)
def test_the_map_before_the_classifier_is_small_whatever_the_size(size, string):
    architecture = small_architecture(size, 16)
    assert architecture.string == string
    assert architecture.norm == "batch"


def trained_by(recipe, **settings):
    return replace(checkpoint("64x2 M 128x2 | gap", **settings), origin={"recipe": to_toml(recipe)})


def test_a_contender_is_trained_as_the_original_for_the_epochs_of_its_distillation_more():
    own = Recipe(model="64x2 M 128x2 | gap", epochs=4, optimizer=OptimizerConfig(name="muon", lr=0.05))
    recipe = contender_recipe(trained_by(own))
    assert recipe.epochs == 4 + EPOCHS
    assert recipe.optimizer == own.optimizer
    assert recipe.model is None and recipe.validation == 0


def test_where_the_original_was_pretrained_the_recipe_is_that_of_small_sets():
    plateau = Recipe(schedule=ScheduleConfig(name="plateau"), validation=0.1)
    for network in (
        replace(checkpoint("8 M | gap"), origin={"strategy": "linear-probe"}),
        trained_by(Recipe(weights="vgg16")),
        trained_by(plateau),
    ):
        recipe = contender_recipe(network)
        assert recipe.epochs == read_recipe("scratch", {}).epochs
        assert recipe.optimizer == read_recipe("scratch", {}).optimizer


def test_contenders_are_cheaper_than_the_original_and_take_all_or_half_the_pixels():
    original = trained_by(Recipe(model="64x2 M 128x2 | gap"), norm="batch")
    found = list(contenders(original, None, 0))
    assert {each.size for each in found} == {16, 8}
    assert all(each.architecture.classes == 4 and each.architecture.input[0] == 3 for each in found)
    assert list(contenders(checkpoint("8 M | gap"), None, 0)) == []


def test_the_narrowed_architecture_is_the_first_contender_with_the_norm_of_the_original():
    original = trained_by(Recipe(model="64x2 M 128x2 | gap"), norm="batch")
    narrowed = checkpoint("16x2 M 32x2 | gap").model.architecture
    first = next(contenders(original, narrowed, 3))
    assert first.architecture.string == "16x2 M 32x2 | gap"
    assert first.architecture.norm == "batch"
    assert first.recipe.seed == 3
