"""A tuning is continued with images added since: same choices, same test images, both networks compared."""

import json
import shutil

import pytest
import torch
from PIL import Image

from tests.train.folders import write_folder
from verydeep.data.split_file import read_split
from verydeep.errors import CheckpointError, DataError, Interrupted
from verydeep.tune.config import config_from_run, read_tune_config, tune_toml
from verydeep.tune.tune import resume_tuning, tune_network
from verydeep.weight_files.checkpoint_file import load

from .watchers import StopAfterStrategy

SHAPES = ("circle", "square", "triangle")


@pytest.fixture
def folder(tmp_path):
    """20 images of each of three classes."""
    return write_folder(tmp_path / "mine", (20, 20, 20), seed=1)


@pytest.fixture
def continued(tmp_path, folder):
    """Continues a run; settings are those of a configuration."""

    def run(earlier, /, *, name="second", watcher=None, **settings):
        changes = {key.replace("__", "."): value for key, value in settings.items()}
        return tune_network(
            str(folder), config_from_run(earlier.run, changes), tmp_path / name, device="cpu",
            watcher=watcher, cache=tmp_path / "cache",
        )  # fmt: skip

    return run


def add(folder, name, count, *, seed=7):
    """More images, one of them as a class of its own if ``name`` is none of the three."""
    source = write_folder(folder.parent / f"source of {name}", (count,) * 3, seed=seed)
    drawn = source / (name if name in SHAPES else "triangle")
    (folder / name).mkdir(exist_ok=True)
    for file in drawn.iterdir():
        picture = Image.open(file)
        picture = picture if name in SHAPES else picture.rotate(45)
        picture.save(folder / name / f"added_{file.name}")


def test_images_are_added_and_only_they_are_computed(run, continued, folder):
    first = run(folder, name="first")
    add(folder, "circle", 10)
    second = continued(first)
    changes = second.images.changes
    assert (changes.new, changes.gone, changes.relabeled, changes.rewritten) == (10, 0, 0, 0)
    assert (second.features.computed, second.features.cached) == (10, 60)
    assert second.features.cache == first.features.cache
    before, now = (read_split(each.run / "split.csv") for each in (first, second))
    assert {name: now[name] for name in before} == before
    assert second.test.images == 14 and changes.new_test == 2
    assert second.decided.from_run == str(first.run) == load(second.run).origin["from_run"]
    assert (second.decided.head, second.decided.weights) == (first.decided.head, first.decided.weights)
    assert second.size_reason == f"16 px, as in {first.run}"


def test_both_networks_are_measured_on_the_same_test_images(run, continued, folder):
    first = run(folder, name="first")
    add(folder, "square", 20)
    second = continued(first)
    comparison = second.comparison
    assert comparison.run == first.run and comparison.left_out == 0
    assert comparison.paired.images == second.test.images == 16
    assert comparison.paired.second.value == pytest.approx(second.test.balanced_accuracy)
    gain = comparison.paired.difference
    assert gain.value == pytest.approx(comparison.paired.second.value - comparison.paired.first.value)


def test_without_new_images_the_earlier_network_has_the_figure_it_had(run, continued, folder):
    first = run(folder, name="first")
    second = continued(first)
    assert second.images.changes.new == 0 and second.features.computed == 0
    assert second.comparison.paired.first.value == pytest.approx(first.test.balanced_accuracy)
    assert (second.comparison.paired.only_first, second.comparison.paired.only_second) == (0, 0)
    weights = (load(each.run).model.state_dict() for each in (first, second))
    assert all(
        torch.equal(one, other) for one, other in zip(*(each.values() for each in weights), strict=True)
    )


def test_an_earlier_network_with_other_features_predicts_the_images_themselves(run, continued, folder):
    first = run(folder, name="first", strategy="fine-tune", budget="none", fine_tune__epochs=2)
    second = continued(first, strategy="linear-probe")
    assert second.chosen == "linear-probe"
    assert second.comparison.paired.first.value == pytest.approx(first.test.balanced_accuracy)


def test_a_new_class_is_left_out_of_the_comparison(run, continued, folder):
    first = run(folder, name="first")
    add(folder, "rotated", 10)
    second = continued(first)
    assert load(second.run).classes == ("circle", "rotated", "square", "triangle")
    assert second.images.changes.new_classes == ("rotated",)
    assert second.test.images == 14
    assert (second.comparison.left_out, second.comparison.paired.images) == (2, 12)
    assert second.comparison.text.endswith("; 2 test images of new classes are left out")


def test_an_image_in_the_folder_of_another_class_is_relabeled_and_keeps_its_part(run, continued, folder):
    first = run(folder, name="first")
    before = read_split(first.run / "split.csv")
    for name in [name for name in before if name.startswith("circle/")][:6]:
        shutil.move(folder / name, folder / "square" / f"was_circle_{name.rpartition('/')[2]}")
    second = continued(first)
    assert (second.images.changes.relabeled, second.images.changes.new) == (6, 0)
    now = read_split(second.run / "split.csv")
    for name, part in now.items():
        old = name.replace("square/was_circle_", "circle/")
        assert before[old] == part
    assert second.features.computed == 0


def test_a_continued_run_can_be_continued_and_its_decisions_repeat_it(run, continued, folder, tmp_path):
    first = run(folder, name="first")
    add(folder, "circle", 5)
    second = continued(first)
    add(folder, "square", 5, seed=8)
    third = continued(second, name="third")
    before, now = (read_split(each.run / "split.csv") for each in (second, third))
    assert {name: now[name] for name in before} == before and third.images.changes.new == 5
    repeated = tune_network(
        str(folder), read_tune_config(third.run / "tune.toml"), tmp_path / "repeated", device="cpu",
        cache=tmp_path / "cache",
    )  # fmt: skip
    files = [each.run / "model.safetensors" for each in (third, repeated)]
    assert torch.equal(*(load(file).model.classifier[0].weight for file in files))
    assert repeated.comparison.paired == third.comparison.paired


def test_an_interrupted_continuation_is_resumed(run, continued, folder, tmp_path):
    settings = {"strategy": "fine-tune", "budget": "none", "fine_tune__epochs": 1}
    first = run(folder, name="first", **settings)
    add(folder, "circle", 5)
    with pytest.raises(Interrupted):
        continued(first, watcher=StopAfterStrategy())
    resumed = resume_tuning(str(folder), tmp_path / "second", device="cpu", cache=tmp_path / "cache")
    whole = continued(first, name="whole")
    assert resumed.comparison.paired == whole.comparison.paired
    assert resumed.images.changes == whole.images.changes
    assert torch.equal(*(load(each.run).model.classifier[0].weight for each in (resumed, whole)))


def test_the_weights_of_the_run_itself_keep_its_test_images_unseen_also_when_resumed(
    run, continued, folder, tmp_path
):
    settings = {"strategy": "fine-tune", "budget": "none", "fine_tune__epochs": 1}
    first = run(folder, name="first", **settings)
    add(folder, "circle", 10)
    with pytest.raises(Interrupted):
        continued(first, weights=str(first.run), watcher=StopAfterStrategy())
    resumed = resume_tuning(str(folder), tmp_path / "second", device="cpu", cache=tmp_path / "cache")
    assert resumed.test.images == 14
    (note,) = (each for each in resumed.images.reading.notes if "was trained on" in each)
    assert note.startswith(f"{first.run} was trained on 48 of the 70 images, none of them a test image")


def test_the_choices_of_the_run_are_the_defaults(run, folder):
    first = run(folder, name="first", seed=3, test=0.3, group_by=r"\w+/photo_\d+", l2=0.1)
    config = config_from_run(first.run)
    decided = first.decided
    assert (config.seed, config.test, config.group_by) == (3, 0.3, r"\w+/photo_\d+")
    assert (config.weights, config.head, config.size) == (decided.weights, decided.head, 16)
    assert (config.strategy, config.budget) == ("linear-probe", "none")
    assert config.l2 is None and config.balance == "auto"  # they depend on the images
    assert config_from_run(first.run, {"seed": 4, "l2": 0.5}).l2 == 0.5
    assert config_from_run(first.run, {"strategy": "auto"}).budget == "5m"
    other = config_from_run(first.run, {"weights": "resnet18"})
    assert (other.weights, other.head, other.size) == ("resnet18", "auto", 16)


def test_a_balance_that_was_asked_for_stays(run, folder):
    first = run(folder, name="first", balance="weights")
    assert config_from_run(first.run).balance == "weights"


def test_what_is_no_finished_tuning_is_refused(run, folder, tmp_path, weights):
    for path, message in (
        (tmp_path / "none", "does not exist; --from needs the run folder of a finished `verydeep tune`"),
        (weights, "is a file; --from needs the run folder"),
        (folder, "is no run of `verydeep tune`: it has no model.safetensors, tune.toml, split.csv"),
    ):
        with pytest.raises(CheckpointError, match=message):
            config_from_run(path)
    first = run(folder, name="first")
    (first.run / "state").mkdir()
    (first.run / "state" / "start.json").write_text(
        json.dumps({"job": "tune", "data": "x", "config": "", "started": ""})
    )
    with pytest.raises(CheckpointError, match="is unfinished: there is nothing to continue from yet"):
        config_from_run(first.run)


def test_a_class_that_is_gone_is_refused_before_anything_is_computed(run, continued, folder, tmp_path):
    first = run(folder, name="first")
    shutil.rmtree(folder / "triangle")
    with pytest.raises(DataError, match=r"no images of triangle, which .*first classifies"):
        continued(first)
    assert not (tmp_path / "second" / "model.safetensors").exists()


def test_weights_that_are_gone_are_named(run, continued, folder, tmp_path, weights):
    moved = tmp_path / "weights.safetensors"
    shutil.copy(weights, moved)
    first = run(folder, name="first", weights=str(moved))
    assert "from_run" not in tune_toml(first.decided)
    moved.unlink()
    with pytest.raises(
        CheckpointError, match=r"no checkpoint at .*weights.safetensors.*own network will do: "
    ):
        continued(first)
    again = continued(first, weights=str(first.run))
    assert again.comparison.paired.first.value == pytest.approx(first.test.balanced_accuracy)
