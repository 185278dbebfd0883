"""Recipes: a value flows from default to TOML to change, and whatever is wrong is said in words."""

import tomllib

import pytest

from verydeep.architecture import zoo
from verydeep.errors import RecipeError
from verydeep.train.recipe import Recipe, read_recipe, recipe_names, recipe_text, summary, to_toml
from verydeep.train.schedule import ScheduleConfig


@pytest.mark.parametrize("name", recipe_names())
def test_each_recipe_is_valid_and_opens_with_what_one_must_know(name):
    recipe, text = read_recipe(name), recipe_text(name)
    zoo.resolve(recipe.model)
    opening = text[: text.index("\n\n")]
    assert summary(text)
    for word in ("Source:", "Command:", "Hardware:", "Minutes:", "Expect:"):
        assert word in opening, f"{name} does not say its {word}"


def test_the_recipes_that_come_with_the_package():
    assert recipe_names() == ("accurate", "classic", "fast", "paper")


def test_a_value_flows_from_default_to_toml_to_change(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("epochs = 7\n[optimizer]\nmomentum = 0.8\n")
    recipe = read_recipe(str(file), {"optimizer.lr": 0.3, "seed": 4, "augment.shift": 2})
    assert (recipe.batch_size, recipe.epochs, recipe.seed) == (Recipe().batch_size, 7, 4)
    assert (recipe.optimizer.momentum, recipe.optimizer.lr, recipe.augment.shift) == (0.8, 0.3, 2)


@pytest.mark.parametrize("name", recipe_names())
def test_toml_and_back(tmp_path, name):
    recipe = read_recipe(name)
    (tmp_path / "copy.toml").write_text(to_toml(recipe))
    assert read_recipe(str(tmp_path / "copy.toml")) == recipe


def test_written_toml_holds_every_value():
    values = tomllib.loads(to_toml(Recipe()))
    assert values["optimizer"]["name"] == "sgd" and values["schedule"]["milestones"] == [0.5, 0.75]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epoch = 3", "there is no key epoch, did you mean epochs?"),
        ("[optimizer]\nlearning_rate = 1", "there is no key optimizer.learning_rate; known are name, lr"),
        ("epochs = 0", "epochs is 0: input should be greater than 0"),
        ("epochs = 'many'", "epochs is 'many': input should be a valid integer"),
        ("[optimizer]\nlr = -1.0", "optimizer.lr is -1.0: input should be greater than 0"),
        ("[schedule]\nname = 'cosine'", "schedule.name is 'cosine'"),
        ("epochs = 0\nseed = 'a'", "seed is 'a'"),
        ("keep = 'best'", "keep = best chooses by validation images"),
        ("[schedule]\nname = 'plateau'", "schedule.name = plateau chooses by validation images"),
        ("batch_size = 6\nslices = 4", "a slice needs two images at least"),
        ("epochs = ", "is no TOML"),
        ("optimizer = 3", "optimizer is 3"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, said):
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(RecipeError) as error:
        read_recipe(str(file))
    assert said in str(error.value)


def test_an_unknown_recipe_gets_the_nearest():
    with pytest.raises(RecipeError, match=r"no recipe 'fats'. Did you mean fast\?"):
        read_recipe("fats")


def test_a_contradiction_is_refused_in_python_too():
    with pytest.raises(RecipeError, match="validation is 0"):
        Recipe(schedule=ScheduleConfig(name="plateau"))
