"""Recipes: a value flows from default to TOML to flag, and each mistake has a message."""

import tomllib

import pytest

from verydeep.architecture import zoo
from verydeep.errors import RecipeError
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.recipe import (
    Recipe,
    default_recipe,
    read_recipe,
    recipe_names,
    recipe_text,
    summary,
    to_toml,
)


@pytest.mark.parametrize("name", recipe_names())
def test_each_recipe_is_valid_and_states_its_source_and_command(name):
    recipe, text = read_recipe(name), recipe_text(name)
    if recipe.model is not None:
        zoo.resolve(recipe.model)
    comment = text[: text.index("\n\n")]
    assert summary(text)
    for word in ("Source:", "Command:", "Expect:"):
        assert word in comment, f"{name} does not state its {word}"
    if name not in ("fine-tune", "scratch"):  # whose time depends on the images
        assert "Hardware:" in comment and "Minutes:" in comment


def test_the_recipes_that_come_with_the_package():
    assert recipe_names() == (
        "accurate", "best", "classic", "fast", "fine-tune", "imagenet", "imagenet-paper", "paper", "record",
        "scratch",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "weights", "name"),
    [
        ("fashion-mnist", None, "fast"),
        ("photos/", None, "scratch"),
        ("photos/", "vgg16", "fine-tune"),
        ("cifar10", "runs/mine", "fine-tune"),
    ],
)
def test_the_default_recipe_fits_the_data_and_the_weights(data, weights, name):
    assert default_recipe(data, weights) == name


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
    ("text", "message"),
    [
        ("epoch = 3", "there is no key epoch, did you mean epochs?"),
        ("[optimizer]\nlearning_rate = 1", "there is no key optimizer.learning_rate; known are name, lr"),
        ("epochs = 0", "epochs is 0: input should be greater than 0"),
        ("epochs = 'many'", "epochs is 'many': input should be a valid integer"),
        ("[optimizer]\nlr = -1.0", "optimizer.lr is -1.0: input should be greater than 0"),
        ("[schedule]\nname = 'cosine'", "schedule.name is 'cosine'"),
        ("[schedule]\nmilestones = [30.0]", "schedule.milestones.0 is 30.0: input should be less"),
        ("epochs = 0\nseed = 'a'", "seed is 'a'"),
        ("seed = -1", "seed is -1"),
        ("seed = 9223372036854775808", "seed is 9223372036854775808"),
        ("keep = 'best'", "keep = best needs validation images, and validation is 0"),
        ("[schedule]\nname = 'plateau'", "schedule.name = plateau needs validation images"),
        ("early_stopping = 1", "early_stopping = 1 needs validation images"),
        ("keep = 'best'", "where the data has validation images of its own, those are used"),
        ("freeze = -1", "freeze is -1"),
        ("freeze = 'some'", "freeze is 'some'"),
        ("weights = 'vgg16'\ngrow_from = 'runs/a'", "weights and grow_from both set the initial weights"),
        ("weights = 'vgg16'\nnorm = 'batch'", "norm is batch, and pretrained weights decide that"),
        ("batch_size = 6\nslices = 4", "a slice needs two images at least"),
        ("epochs = ", "is not TOML"),
        ("optimizer = 3", "optimizer is 3"),
    ],
)
def test_each_mistake_has_a_message(tmp_path, text, message):
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(RecipeError) as error:
        read_recipe(str(file))
    assert message in str(error.value)


def test_an_unknown_recipe_gets_the_nearest():
    with pytest.raises(RecipeError, match=r"no recipe 'fats'. Did you mean fast\?"):
        read_recipe("fats")


def test_a_slice_may_have_two_images():
    assert Recipe(batch_size=8, slices=4).slices == 4


def test_a_contradiction_is_refused_in_python_too():
    with pytest.raises(RecipeError, match="validation is 0"):
        Recipe(schedule=ScheduleConfig(name="plateau"))


@pytest.mark.parametrize(("images", "epochs"), [(16_000, 20), (800, 20), (799, 21), (100, 167), (10, 500)])
def test_auto_epochs_are_20_or_what_500_steps_take(images, epochs):
    assert Recipe(epochs="auto", batch_size=32).planned_epochs(images) == epochs


def test_a_number_of_epochs_is_kept_whatever_the_images():
    assert Recipe(epochs=3, batch_size=32).planned_epochs(10) == 3
