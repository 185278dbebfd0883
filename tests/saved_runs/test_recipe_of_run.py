"""The recipe of a run, told from its settings."""

import pytest

from verydeep.saved_runs.recipe_of_run import MOST_CHANGED, flat_settings, nearest_recipe
from verydeep.train.recipe import read_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_recognized_whatever_its_seed_and_network(name):
    run = flat_settings(read_recipe(name, {"seed": 7, "model": "vgg11"}))
    assert str(nearest_recipe(run)) == name


def test_changed_settings_are_counted():
    changed = flat_settings(read_recipe("fast", {"epochs": 9, "optimizer.lr": 0.1, "seed": 3}))
    assert str(nearest_recipe(changed)) == "fast +2"


def test_what_differs_from_all_has_no_recipe():
    settings = flat_settings(read_recipe("fast"))
    other = dict.fromkeys(list(settings)[: 2 * MOST_CHANGED + 4])
    assert nearest_recipe(settings | other) is None
