"""The sentences of the page of `verydeep tune`."""

from dataclasses import replace

import pytest

from verydeep.report.tune_text import evaluated_on, method_sentence, split_text, stopping_text

from .trainings import epoch
from .tunings import PARTS, fine_tuning, tune_result

IMAGES = "2 classes, 360 training images, 100 test images."


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ("linear-probe", f"Linear probe on frozen features of vgg16: {IMAGES}"),
        ("fine-tune", f"Fine-tuning of vgg16, starting from a linear probe: {IMAGES}"),
        ("scratch", f"Training of vgg16 from scratch: {IMAGES}"),
    ],
)
def test_the_method_is_one_sentence(tmp_path, chosen, sentence):
    assert method_sentence(tune_result(tmp_path, chosen=chosen)) == sentence


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("vgg16", "vgg16"),
        ("vgg16-to-relu4_3", "vgg16 up to relu4_3"),
        ("64x2 M 128x2 | gap", "vgg16-features"),  # of the weight file
    ],
)
def test_the_network_has_its_name_or_that_of_its_weights(tmp_path, name, network):
    result = tune_result(tmp_path)
    named = replace(result, architecture=replace(result.architecture, name=name))
    assert f"features of {network}: " in method_sentence(named)


def test_a_network_without_name_and_weights_is_the_network(tmp_path):
    result = tune_result(tmp_path, chosen="scratch", origin={"temperature": 1.0})
    named = replace(result, architecture=replace(result.architecture, name="64x2 M 128x2 | gap"))
    assert method_sentence(named) == f"Training of the network from scratch: {IMAGES}"


def test_validation_images_are_counted(tmp_path):
    train, test = PARTS
    val = replace(train, part="val", images=1234, groups=None)
    result = tune_result(tmp_path, parts=(train, val, test))
    assert "360 training images, 1,234 validation images, 100 test images." in method_sentence(result)
    assert "; validation: 1,234 images (72.8" in split_text(result)


def test_the_split_has_its_shares_and_its_groups(tmp_path):
    assert split_text(tune_result(tmp_path)).replace("\N{NO-BREAK SPACE}", " ") == (
        "training: 360 images in 96 groups (78.3 %); test: 100 images in 24 groups (21.7 %). "
        r"Images are grouped (by “pet_\d+”): all images of a group are in the same part."
    )


def test_groups_may_come_with_the_data(tmp_path):
    asked = replace(tune_result(tmp_path).asked, group_by=None)
    assert "Images are grouped: all images" in split_text(tune_result(tmp_path, asked=asked))


def test_data_leakage_is_mentioned_if_images_are_not_grouped(tmp_path):
    parts = tuple(replace(part, groups=None) for part in PARTS)
    images = replace(tune_result(tmp_path).images, groups=None)
    result = tune_result(tmp_path, parts=parts, images=images)
    assert "test: 100 images (21.7" in split_text(result)
    assert split_text(result).endswith(
        "%). Images are not grouped. If several images show the same object, group them with --group-by; "
        "otherwise data leakage makes the test results too good."
    )
    assert evaluated_on(result) == "100 images, used once"


def test_the_test_images_are_used_once_per_compared_strategy(tmp_path):
    result = tune_result(tmp_path)
    assert evaluated_on(result) == "100 images in 24 groups, used once"
    compared = replace(result, asked=replace(result.asked, strategy="compare"))
    assert evaluated_on(compared) == "100 images in 24 groups, used once per strategy"


@pytest.mark.parametrize(
    ("best", "planned", "sentence"),
    [
        (
            4, 300,
            "Early stopping ended training after 6 of 300 epochs; epoch 4 was the best on the validation "
            "images and was kept.",
        ),
        (
            6, 6,
            "All 6 epochs were trained; the last was the best on the validation images, so more epochs may "
            "be better.",
        ),
        (
            0, 6,
            "All 6 epochs were trained; none was better on the validation images than the network before "
            "training, which was kept.",
        ),
        (None, 6, "All 6 epochs were trained."),
    ],
)  # fmt: skip
def test_the_end_of_training_and_the_kept_epoch_are_one_sentence(best, planned, sentence):
    epochs = tuple(epoch(number, epochs=planned) for number in range(1, 7))
    assert stopping_text(fine_tuning(epochs=epochs, best_epoch=best)) == sentence


def test_the_plan_is_that_of_the_last_epoch():  # a time limit may shorten it
    shortened = fine_tuning(epochs=(epoch(1, epochs=300), epoch(2, epochs=2)), best_epoch=1)
    assert stopping_text(shortened).startswith("All 2 epochs were trained; epoch 1 was the best")
