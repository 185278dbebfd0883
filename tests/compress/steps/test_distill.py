"""Distillation brings a network closer to the logits of the original, and is reproducible."""

from dataclasses import replace

import pytest
import torch

from verydeep.compress.narrow.narrowing import narrow
from verydeep.compress.origin import trains_with_flips
from verydeep.compress.steps import distill as module
from verydeep.compress.steps.distill import distill, read_teacher, seconds_an_epoch
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.models.logits import predict_logits
from verydeep.train.recipe import Recipe, to_toml

from ..networks import calibration, checkpoint


@pytest.fixture(autouse=True)
def has_small_batches(monkeypatch):
    monkeypatch.setattr(module, "BATCH_SIZE", 20)


def distance(network, original, images):
    logits = [predict_logits(each.model, images.pixels, each.preprocess) for each in (network, original)]
    return float((logits[0].softmax(1) - logits[1].softmax(1)).abs().sum(1).mean())


def test_the_probabilities_come_closer_to_those_of_the_original():
    original, images, others = checkpoint("32 M 32 | gap"), calibration(200), calibration(60, seed=1)
    narrowed = narrow(original, images.at_most(40), {"features.0": 8, "features.3": 8}).checkpoint
    before = {name: value.clone() for name, value in narrowed.model.state_dict().items()}
    result = distill(narrowed, images, read_teacher(original, images, flips=True), epochs=8)
    assert result.done == "8 epochs on the logits of the original"
    assert distance(result.checkpoint, original, others) < 0.8 * distance(narrowed, original, others)
    for name, value in narrowed.model.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    original, images = checkpoint("8 M | gap"), calibration(50)
    teacher = read_teacher(original, images, flips=False)
    student = narrow(checkpoint("32 M | gap"), images, {"features.0": 8}).checkpoint

    def weights(seed):
        return distill(student, replace(images, seed=seed), teacher, 1).checkpoint.model.features[0].weight

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_the_logits_are_the_mean_of_both_views_where_training_flips():
    original, images = checkpoint("8 M | pool2"), calibration(30)
    plain = read_teacher(original, images, flips=False).logits
    mirrored = read_teacher(original, replace(images, pixels=images.pixels.flip(3)), flips=False).logits
    assert not torch.allclose(plain, mirrored)
    torch.testing.assert_close(read_teacher(original, images, flips=True).logits, (plain + mirrored) / 2)


def test_labels_are_learned_too():
    original, images, labels = checkpoint("8 M | gap"), calibration(100), torch.arange(100) % 4

    def accuracy(labels):
        result = distill(original, images, read_teacher(original, images, labels, flips=False), 12)
        logits = predict_logits(result.checkpoint.model, images.pixels, original.preprocess)
        return result.done, float((logits.argmax(1) == torch.arange(100) % 4).float().mean())

    done, without = accuracy(None)
    assert done == "12 epochs on the logits of the original"
    done, with_labels = accuracy(labels)
    assert done == "12 epochs on the logits of the original and the labels"
    assert with_labels > without


def test_the_forecast_is_for_all_images():
    original, images = checkpoint("8 M | gap"), calibration(200)
    assert seconds_an_epoch(original, images, read_teacher(original, images, flips=False)) > 0


def test_flips_follow_the_recipe_of_the_original():
    network = checkpoint("8 M | gap")
    flipped = to_toml(Recipe(model="8 M | gap", augment=AugmentConfig(flip="random")))
    assert trains_with_flips(replace(network, origin={"recipe": flipped}))
    assert not trains_with_flips(replace(network, origin={"recipe": to_toml(Recipe(model="8 M | gap"))}))
    assert not trains_with_flips(network)
