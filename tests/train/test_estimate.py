"""The estimate of a training: counted exactly, timed by its own first steps, and nothing is written."""

import pytest
import torch

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.data.synthetic import dataset
from verydeep.errors import RecipeError
from verydeep.train import estimate as estimate_module
from verydeep.train.estimate import Estimate, estimate_training
from verydeep.train.recipe import Recipe, read_recipe
from verydeep.train.run import training_inputs
from verydeep.train.train import new_start

from .folders import write_folder

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(estimate_module, "LEAST_SECONDS", 0.2)


@pytest.fixture
def data():
    return dataset(train=200, test=20, size=16, channels=1, classes=4)


def test_images_epochs_and_multiply_adds_are_exact(data):
    recipe = Recipe(model="8 M 16 M | gap", epochs=30, batch_size=64, precision="fp32")
    estimate = estimate_training(recipe, data, device="cpu")
    net = zoo.resolve("8 M 16 M | gap").with_classes(4).with_input(1, 16)
    assert (estimate.images, estimate.epochs) == (192, 30)  # the last incomplete batch is dropped
    assert estimate.macs == trace(net).totals.macs
    assert estimate.training_macs == 3 * estimate.macs * 192 * 30
    assert estimate.images_per_second > 0 and 0 <= estimate.data_wait <= 1
    assert estimate.seconds == pytest.approx(30 * 192 / estimate.images_per_second)
    assert (estimate.device, estimate.precision) == ("CPU", "fp32")


def test_what_needs_validation_images_does_not_stand_in_the_way(data):
    recipe = read_recipe("paper", {"model": "8 M 16 M | gap", "epochs": 2})
    assert estimate_training(recipe, data, device="cpu").epochs == 2


def test_a_training_of_one_step_is_estimated_by_it(data):
    recipe = Recipe(model="8 M | gap", epochs=1, batch_size=200)
    assert estimate_training(recipe, data, device="cpu").images_per_second > 0


def test_images_on_disk_are_decoded_as_training_does(tmp_path, monkeypatch):
    sources = []

    def watched(recipe, state, preprocess, train, *others):
        sources.append(train)
        return training_inputs(recipe, state, preprocess, train, *others)

    monkeypatch.setattr(estimate_module, "training_inputs", watched)
    folder = write_folder(tmp_path, (8, 8))
    recipe = Recipe(model="8 M | gap", epochs=1, batch_size=4, stream="on")
    estimate_training(recipe, str(folder), device="cpu")
    assert [each.decoder for each in sources] == [new_start(recipe, str(folder)).decoder]


def test_on_a_cpu_a_step_of_a_large_network_has_few_images():
    recipe = Recipe(batch_size=256, slices=4)
    assert estimate_module._short(recipe, int(15.5e9), CPU).batch_size == 21
    assert estimate_module._short(recipe, int(1e12), CPU).batch_size == 8
    assert estimate_module._short(recipe, 7_000_000, CPU).batch_size == 256
    assert estimate_module._short(recipe, int(15.5e9), torch.device("cuda")).batch_size == 256


def test_frozen_stages_are_refused(data):
    with pytest.raises(RecipeError, match="frozen stages are computed once"):
        estimate_training(Recipe(freeze=2, weights="vgg16"), data)


def test_the_text_says_what_was_measured():
    text = Estimate(
        images=1_281_024, epochs=300, images_of_all_epochs=384_307_200, macs=15_470_264_320,
        images_per_second=5_864.0, data_wait=0.04, device="a GPU", precision="bf16, weights in fp32",
    ).text.replace("\N{NO-BREAK SPACE}", " ")  # fmt: skip
    assert text == (
        "About 18 h 12 min for 300 epochs of 1,281,024 images, without validation: 1.8e+19 multiply-adds\n"
        "Measured here: 5,864.0 images/s on a GPU in bf16, weights in fp32; "
        "the network waited for images in 4 % of the time"
    )


def test_epochs_of_the_hardest_images_take_less_time(data):
    recipe = Recipe(epochs=3, batch_size=20, hardest=0.5, precision="fp32", model="8 M 16 M | gap")
    estimate = estimate_training(recipe, data)
    assert (estimate.images, estimate.images_of_all_epochs) == (200, 200 + 2 * 100)
    assert "for 3 epochs, 400 images in all, without validation" in estimate.text
    assert estimate.values["images_of_all_epochs"] == 400
