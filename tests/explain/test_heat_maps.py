"""Heat maps show the known evidence for a class, and depend on the class and on the weights."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from verydeep.architecture import zoo
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import ArchitectureError, DataError
from verydeep.explain.grad_cam import grad_cam
from verydeep.explain.heat_map import METHODS
from verydeep.explain.heat_maps import heat_maps
from verydeep.models.build import build, build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.feature_steps import last_unpooled_name
from verydeep.models.initialization import initialize
from verydeep.models.logits import predict_logits

from .textures import PATCH, SIDE, textures


def share(heat_map, rows=slice(None), columns=slice(None)):
    return float(heat_map.heat[rows, columns].sum() / heat_map.heat.sum())


@pytest.mark.parametrize("method", [method for method in METHODS if method != "smoothgrad"])
def test_the_heat_is_on_the_evidence_for_the_class(colors, red_left, method):
    for name, side in (("red", slice(0, 12)), ("green", slice(12, None))):
        (heat_map,) = heat_maps(colors, red_left, [name], method)
        assert share(heat_map, slice(6, 18), side) > 0.95, name
        assert heat_map.label == name and heat_map.heat.shape == (SIDE, SIDE)
        assert (float(heat_map.heat.min()), float(heat_map.heat.max())) == (0, 1)


def test_smoothgrad_shows_evidence_for_and_against_the_class(colors, red_left):
    (heat_map,) = heat_maps(colors, red_left, ["red"], "smoothgrad")
    assert float(heat_map.heat.max()) == 1
    swapped = red_left.roll(12, 3)  # the same image with its halves swapped
    (other,) = heat_maps(colors, swapped, ["green"], "smoothgrad")
    assert other.heat.sum() == pytest.approx(heat_map.heat.sum(), rel=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_heat_of_a_trained_network_is_on_the_texture(trained, method):
    """The pointing game (Zhang et al. 2018, section 4.2): the maximum is in the patch, or at most 2 px away.

    By chance it is in 3 of 12 images. The maximum over single pixels is less reliable than over a map.
    """
    torch.manual_seed(3)
    pixels, labels, corners = textures(12)
    maps = heat_maps(trained, pixels, None, method)
    assert [one.label for one in maps] == [trained.classes[label] for label in labels]
    hits = 0
    for one, corner in zip(maps, corners, strict=True):
        position = torch.tensor(divmod(int(one.heat.argmax()), SIDE))
        hits += bool(((position >= corner - 2) & (position < corner + PATCH + 2)).all())
    assert hits >= (8 if method == "smoothgrad" else 11)


@pytest.mark.parametrize("method", METHODS)
def test_other_weights_have_another_heat_map(trained, method):
    """The model parameter randomization test: Adebayo et al. 2018 (arXiv 1810.03292), section 3.

    The rank correlation is 1 for copied weights, and low after random initialization.
    """
    torch.manual_seed(4)
    pixels, labels, _ = textures(8)
    classes = [trained.classes[label] for label in labels]
    model = build(trained.model.architecture)
    model.load_state_dict(trained.model.state_dict())
    copy = Checkpoint(model.eval(), trained.preprocess, trained.classes)
    before = heat_maps(trained, pixels, classes, method)
    same = heat_maps(copy, pixels, classes, method)
    initialize(model, "he")
    after = heat_maps(copy, pixels, classes, method)
    assert min(rank_correlation(*pair) for pair in zip(before, same, strict=True)) > 0.999
    changed = [rank_correlation(*pair) for pair in zip(before, after, strict=True)]
    assert sum(changed) / len(changed) < 0.5, changed


def rank_correlation(first, second):
    """Spearman's rank correlation of two heat maps."""
    ranks = [each.heat.flatten().argsort().argsort() for each in (first, second)]
    return float(np.corrcoef(ranks)[0, 1])


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_every_network_of_the_zoo_has_a_default_layer(name):
    """Without memory: a feature map of more than one position, with a gradient from the logits."""
    architecture = zoo.resolve(name)
    model = build_empty(architecture).eval()
    images = torch.empty(2, *architecture.input, device="meta")
    labels = torch.zeros(2, dtype=torch.int64, device="meta")
    heat = grad_cam(model, images, labels, last_unpooled_name(model))
    assert min(heat.shape[1:]) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg-tiny", "resnet20", "plain20"])
@pytest.mark.parametrize("method", METHODS)
def test_small_networks_of_the_zoo_have_heat_maps(name, method):
    architecture = zoo.resolve(name)
    torch.manual_seed(0)
    channels, side, _ = architecture.input
    preprocess = Preprocess(size=side, channels=channels, mean=(0.5,) * channels, std=(0.25,) * channels)
    checkpoint = Checkpoint(build(architecture), preprocess, tuple("abcdefghij"))
    pixels = torch.randint(256, (1, channels, side, side), dtype=torch.uint8)
    (heat_map,) = heat_maps(checkpoint, pixels, ["c"], method)
    assert bool(np.isfinite(heat_map.heat).all()) and heat_map.heat.shape == (side, side)


@pytest.mark.parametrize("method", METHODS)
def test_an_image_has_the_same_heat_map_alone_and_in_a_batch(random_network, method, monkeypatch):
    checkpoint = random_network("8 M 12 | gap")
    pixels = torch.randint(256, (5, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr("verydeep.explain.heat_maps.BATCH_PIXELS", 2 * 16 * 16)
    together = heat_maps(checkpoint, pixels, ["a", "b", "c", "a", "b"], method)
    (alone,) = heat_maps(checkpoint, pixels[3:4], ["a"], method)
    np.testing.assert_allclose(alone.heat, together[3].heat, rtol=1e-5, atol=1e-5)
    assert [one.label for one in together] == ["a", "b", "c", "a", "b"]


def test_the_predicted_class_is_the_default(random_network):
    checkpoint = random_network("8 M 12 | gap")
    pixels = torch.randint(256, (4, 3, 20, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    checkpoint.model.train()
    probabilities = predict_logits(checkpoint.model, pixels, checkpoint.preprocess).softmax(1)
    for one, row in zip(heat_maps(checkpoint, pixels), probabilities, strict=True):
        assert one.label == one.predicted == checkpoint.classes[int(row.argmax())]
        assert one.probability == one.confidence == pytest.approx(float(row.max()))
        assert one.layer == "relu2_1" and one.pixels.shape == (3, 16, 16)
    for one, row in zip(heat_maps(checkpoint, pixels, ["c"] * 4), probabilities, strict=True):
        assert one.probability == pytest.approx(float(row[2]))
    assert checkpoint.model.training


def test_without_evidence_there_is_no_heat(colors):
    black = torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8)
    for method in METHODS:
        if method != "smoothgrad":
            assert float(heat_maps(colors, black, ["red"], method)[0].heat.max()) == 0


def test_a_network_whose_logits_are_not_numbers_is_refused(colors):
    weights = {name: tensor * float("nan") for name, tensor in colors.model.state_dict().items()}
    broken = replace(colors, model=deepcopy(colors.model))
    broken.model.load_state_dict(weights)
    with pytest.raises(DataError, match="are NaN or infinite"):
        heat_maps(broken, torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8))


def test_no_images_have_no_heat_maps(colors):
    assert heat_maps(colors, torch.zeros(0, 3, SIDE, SIDE, dtype=torch.uint8)) == ()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "lime"}, ArchitectureError, "no method 'lime'; the methods are grad-cam, grad-cam"),
        ({"classes": ["rod"]}, DataError, "has no class 'rod'. Did you mean red"),
        (
            {"classes": ["red"] * 2},
            DataError,
            "1 images are given with the classes .*expected one class per image",
        ),
        ({"layer": "relu9_9"}, ArchitectureError, "has no layer 'relu9_9'"),
        (
            {"layer": "fc"},
            ArchitectureError,
            "fc of colors has no feature map: .* The last .* is relu1_2",
        ),
        (
            {"layer": "relu1_1", "method": "occlusion"},
            ArchitectureError,
            "occlusion uses no layer",
        ),
    ],
)
def test_invalid_arguments_are_rejected(colors, red_left, arguments, error, message):
    with pytest.raises(error, match=message):
        heat_maps(colors, red_left, **arguments)


def test_a_feature_extractor_has_no_class_to_explain(colors, red_left):
    extractor = Checkpoint(colors.model, colors.preprocess, ())
    with pytest.raises(DataError, match=r"colors has no classes to explain: it is a feature extractor"):
        heat_maps(extractor, red_left)


def test_probabilities_are_those_of_predict(colors, red_left):
    """The temperature of the checkpoint divides the logits."""
    colors.model.classifier[0].bias.data[0] = 2.0
    (plain,) = heat_maps(colors, red_left)
    (calibrated,) = heat_maps(replace(colors, origin={"temperature": 4.0}), red_left)
    logit = torch.tensor(plain.probability).logit()
    assert plain.label == calibrated.label
    assert calibrated.probability == pytest.approx(float((logit / 4).sigmoid()), abs=1e-5)


@pytest.mark.parametrize(("fit", "label"), [("crop", "green"), ("pad", "red"), ("squash", "red")])
def test_the_explained_image_is_the_one_that_is_classified(colors, fit, label):
    """A wide picture with green in the middle and more red at both ends, which a crop cuts off."""
    wide = torch.zeros(1, 3, SIDE, 4 * SIDE, dtype=torch.uint8)
    wide[:, 0, :, : SIDE + 12] = wide[:, 0, :, -SIDE - 12 :] = 250
    wide[:, 1, :, SIDE + 12 : -SIDE - 12] = 250
    network = replace(colors, preprocess=colors.preprocess.with_fit(fit))
    (heat_map,) = heat_maps(network, wide)
    assert heat_map.predicted == label
    assert (heat_map.pixels[0].max() > 100) == (fit != "crop")
    assert heat_map.pixels.shape == (3, SIDE, SIDE)
