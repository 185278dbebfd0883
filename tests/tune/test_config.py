"""The settings of `verydeep tune`: read from TOML and flags, shared by both steps, written and read again."""

from dataclasses import replace
from math import inf

import pytest

from verydeep.errors import RecipeError
from verydeep.train.recipe import read_recipe
from verydeep.tune.config import SHARED, UNUSED, TuneConfig, read_tune_config, seconds, tune_toml


@pytest.mark.parametrize(
    ("text", "length"), [("90s", 90), ("5m", 300), ("1.5h", 5400), (" 2 M ", 120), ("none", inf)]
)
def test_a_budget_is_a_time_with_its_unit(text, length):
    assert seconds(text) == length
    assert TuneConfig(budget=text).budget_s == length


@pytest.mark.parametrize("text", ["5", "", "m", "-5m", "5 minutes", "1h30m", "inf"])
def test_other_budgets_are_refused(text):
    with pytest.raises(RecipeError, match=f"budget is '{text.strip()}'; expected a time with its unit"):
        TuneConfig(budget=text)


def test_defaults_are_the_recipes_of_the_package():
    config = read_tune_config()
    assert config == TuneConfig()
    assert config.fine_tune == read_recipe("fine-tune")
    assert config.scratch == read_recipe("scratch")


def test_a_value_flows_from_default_to_file_to_flag(tmp_path):
    (tmp_path / "mine.toml").write_text('seed = 3\nbudget = "1h"\n[fine_tune.optimizer]\nlr = 0.5\n')
    config = read_tune_config(
        tmp_path / "mine.toml", {"fine_tune.epochs": 7, "budget": "2h", "scratch.ema": 0.5}
    )
    assert (config.seed, config.budget) == (3, "2h")
    assert (config.fine_tune.optimizer.lr, config.fine_tune.epochs) == (0.5, 7)
    assert config.fine_tune.optimizer.name == "adamw"  # of the recipe
    assert config.scratch == replace(read_recipe("scratch"), ema=0.5)


def test_written_settings_are_read_again_and_hold_every_value(tmp_path):
    config = TuneConfig(
        weights="vgg16", strategy="fine-tune", l2=0.01, head="relu4_3", size=96,
        fine_tune=replace(read_recipe("fine-tune"), freeze=2, epochs=11),
    )  # fmt: skip
    (tmp_path / "tune.toml").write_text(tune_toml(config))
    assert read_tune_config(tmp_path / "tune.toml") == config


def test_what_is_set_at_the_top_holds_for_both_steps():
    config = TuneConfig(
        weights="vgg16", model="vgg16", head="relu4_3", size=64, seed=5, test=0.3, validation=0.4,
        group_by="photo", balance="weights",
    )  # fmt: skip
    for recipe in (config.fine_tune_recipe, config.scratch_recipe):
        assert (recipe.model, recipe.size, recipe.seed) == ("vgg16", 64, 5)
        assert (recipe.test, recipe.validation, recipe.group_by) == (0.3, 0.4, "photo")
        assert recipe.balance == "weights"
    assert (config.fine_tune_recipe.weights, config.fine_tune_recipe.head) == ("vgg16", "relu4_3")
    assert config.scratch_recipe.weights is None


@pytest.mark.parametrize("step", ["fine_tune", "scratch"])
def test_what_both_steps_share_is_refused_in_the_table_of_one(tmp_path, step):
    for key in SHARED:
        (tmp_path / "wrong.toml").write_text(f"[{step}]\n{key} = 3\n")
        with pytest.raises(RecipeError, match=rf"{key} is in the table \[{step}\]; set it at the top"):
            read_tune_config(tmp_path / "wrong.toml")
    for key in UNUSED[step]:
        (tmp_path / "wrong.toml").write_text(f"[{step}]\n{key} = 3\n")
        with pytest.raises(RecipeError, match=rf"{key} is in the table \[{step}\], where it has no use"):
            read_tune_config(tmp_path / "wrong.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strategi = 'auto'", "there is no key strategi, did you mean strategy?"),
        ("strategy = 'best'", "strategy is 'best': input should be 'auto', 'linear-probe'"),
        ("[fine_tune]\nepoch = 3", "there is no key fine_tune.epoch, did you mean epochs?"),
        ("[fine_tune.optimizer]\nlr = 0", "fine_tune.optimizer.lr is 0: input should be greater than 0"),
        ("budget = '5'", "budget is '5'; expected a time with its unit"),
        ("l2 = 0.0", "l2 is 0.0: input should be greater than 0"),
        ("fine_tune = 3", "fine_tune is 3"),
        ("seed = ", "is not TOML"),
    ],
)
def test_each_mistake_has_a_message(tmp_path, text, message):
    (tmp_path / "wrong.toml").write_text(text)
    with pytest.raises(RecipeError) as error:
        read_tune_config(tmp_path / "wrong.toml")
    assert message in str(error.value)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path):
    with pytest.raises(RecipeError, match=r"there is no file .*gone\.toml; give the tune\.toml of a run"):
        read_tune_config(tmp_path / "gone.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"bytes\.toml, line 1 is not text in UTF-8"):
        read_tune_config(tmp_path / "bytes.toml")
