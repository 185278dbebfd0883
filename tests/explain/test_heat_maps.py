"""Heat lies where the evidence is, belongs to a class, and goes when the weights do."""

from dataclasses import replace

import pytest
import torch

from verydeep.architecture import zoo
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import ArchitectureError, DataError
from verydeep.evaluate.logits import predict_logits
from verydeep.explain.grad_cam import grad_cam
from verydeep.explain.heat_maps import METHODS, heat_maps
from verydeep.models.build import build, build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.feature_steps import last_unpooled_name
from verydeep.models.initialization import initialize

from .textures import PATCH, SIDE, textures


def share(found, rows=slice(None), columns=slice(None)):
    return float(found.heat[rows, columns].sum() / found.heat.sum())


@pytest.mark.parametrize("method", [method for method in METHODS if method != "smoothgrad"])
def test_heat_lies_on_what_spoke_for_the_class(colors, red_left, method):
    for name, side in (("red", slice(0, 12)), ("green", slice(12, None))):
        (found,) = heat_maps(colors, red_left, [name], method)
        assert share(found, slice(6, 18), side) > 0.95, name
        assert found.label == name and found.heat.shape == (SIDE, SIDE)
        assert (float(found.heat.min()), float(found.heat.max())) == (0, 1)


def test_smoothgrad_shows_what_matters_for_or_against(colors, red_left):
    (found,) = heat_maps(colors, red_left, ["red"], "smoothgrad")
    assert float(found.heat.max()) == 1
    quiet = red_left.roll(12, 3)  # the same image, its halves exchanged
    assert torch.allclose(
        heat_maps(colors, quiet, ["green"], "smoothgrad")[0].heat.sum(), found.heat.sum(), rtol=0.2
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_trained_network_looks_at_the_texture(learned, method):
    """The pointing game (Zhang et al. 2018, section 4.2): the hottest place lies in the patch, or 2 px away.

    By chance it does in 3 of 12; the hottest of single pixels says less than that of a map.
    """
    torch.manual_seed(3)
    pixels, labels, corners = textures(12)
    found = heat_maps(learned, pixels, None, method)
    assert [one.label for one in found] == [learned.classes[label] for label in labels]
    hits = 0
    for one, corner in zip(found, corners, strict=True):
        place = torch.tensor(divmod(int(one.heat.argmax()), SIDE))
        hits += bool(((place >= corner - 2) & (place < corner + PATCH + 2)).all())
    assert hits >= (8 if method == "smoothgrad" else 11)


@pytest.mark.parametrize("method", METHODS)
def test_other_weights_give_another_map(learned, method):
    """The model parameter randomization test: Adebayo et al. 2018 (arXiv 1810.03292), section 3.

    The rank correlation of two maps is 1 where the weights are copied, and falls where they are drawn anew.
    """
    torch.manual_seed(4)
    pixels, labels, _ = textures(8)
    classes = [learned.classes[label] for label in labels]
    model = build(learned.model.architecture)
    model.load_state_dict(learned.model.state_dict())
    copy = Checkpoint(model.eval(), learned.preprocess, learned.classes)
    before = heat_maps(learned, pixels, classes, method)
    same = heat_maps(copy, pixels, classes, method)
    initialize(model, "he")
    after = heat_maps(copy, pixels, classes, method)
    assert min(rank_correlation(*pair) for pair in zip(before, same, strict=True)) > 0.999
    changed = [rank_correlation(*pair) for pair in zip(before, after, strict=True)]
    assert sum(changed) / len(changed) < 0.5, changed


def rank_correlation(ours, theirs):
    """Spearman's, of the places of two maps."""
    ranks = [one.heat.flatten().argsort().argsort().double() for one in (ours, theirs)]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])


@pytest.mark.parametrize("name", zoo.names())
def test_every_network_of_the_zoo_has_a_layer_for_it(name):
    """Shapes alone, without memory: a map of more than one place, from which the logits can be reached."""
    architecture = zoo.resolve(name)
    model = build_empty(architecture).eval()
    images = torch.empty(2, *architecture.input, device="meta")
    labels = torch.zeros(2, dtype=torch.int64, device="meta")
    heat = grad_cam(model, images, labels, last_unpooled_name(model))
    assert min(heat.shape[1:]) >= 3


@pytest.mark.parametrize("name", ["vgg-tiny", "resnet20", "plain20"])
@pytest.mark.parametrize("method", METHODS)
def test_heat_of_the_zoos_small_ones(name, method):
    architecture = zoo.resolve(name)
    torch.manual_seed(0)
    channels, side, _ = architecture.input
    seen = Preprocess(size=side, channels=channels, mean=(0.5,) * channels, std=(0.25,) * channels)
    network = Checkpoint(build(architecture), seen, tuple("abcdefghij"))
    pixels = torch.randint(256, (1, channels, side, side), dtype=torch.uint8)
    (found,) = heat_maps(network, pixels, ["c"], method)
    assert bool(found.heat.isfinite().all()) and found.heat.shape == (side, side)


@pytest.mark.parametrize("method", METHODS)
def test_an_image_has_the_same_map_alone_and_among_others(drawn, method, monkeypatch):
    network = drawn("8 M 12 | gap")
    pixels = torch.randint(256, (5, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr("verydeep.explain.heat_maps.BATCH_PIXELS", 2 * 16 * 16)
    together = heat_maps(network, pixels, ["a", "b", "c", "a", "b"], method)
    (alone,) = heat_maps(network, pixels[3:4], ["a"], method)
    torch.testing.assert_close(alone.heat, together[3].heat)
    assert [one.label for one in together] == ["a", "b", "c", "a", "b"]


def test_the_predicted_class_is_the_default_and_both_are_said(drawn):
    network = drawn("8 M 12 | gap")
    pixels = torch.randint(256, (4, 3, 20, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    network.model.train()
    probabilities = predict_logits(network.model, pixels, network.preprocess).softmax(1)
    for one, row in zip(heat_maps(network, pixels), probabilities, strict=True):
        assert one.label == one.predicted == network.classes[int(row.argmax())]
        assert one.probability == one.confidence == pytest.approx(float(row.max()))
        assert one.layer == "relu2_1" and one.pixels.shape == (3, 16, 16)
    for one, row in zip(heat_maps(network, pixels, ["c"] * 4), probabilities, strict=True):
        assert one.probability == pytest.approx(float(row[2]))
    assert network.model.training


def test_nothing_that_speaks_for_a_class_is_no_heat(colors):
    black = torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8)
    for method in METHODS:
        if method != "smoothgrad":
            assert float(heat_maps(colors, black, ["red"], method)[0].heat.abs().max()) == 0


def test_of_none_come_none(colors):
    assert heat_maps(colors, torch.zeros(0, 3, SIDE, SIDE, dtype=torch.uint8)) == ()


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"method": "lime"}, ArchitectureError, "no method 'lime'; there are grad-cam, grad-cam"),
        ({"classes": ["rod"]}, DataError, "knows no class 'rod'. Did you mean red"),
        ({"classes": ["red"] * 2}, DataError, "1 images are given with the classes .*expected one name each"),
        ({"layer": "relu9_9"}, ArchitectureError, "has no layer 'relu9_9'"),
        (
            {"layer": "fc"},
            ArchitectureError,
            "fc of colors gives no map: .* The last .* is relu1_2",
        ),
        (
            {"layer": "relu1_1", "method": "occlusion"},
            ArchitectureError,
            "occlusion looks at the image",
        ),
    ],
)
def test_mistakes_are_named(colors, red_left, arguments, error, said):
    with pytest.raises(error, match=said):
        heat_maps(colors, red_left, **arguments)


def test_features_alone_have_no_class_to_speak_for(colors, red_left):
    bare = Checkpoint(colors.model, colors.preprocess, ())
    with pytest.raises(DataError, match=r"colors has no classes .* only its features are trained"):
        heat_maps(bare, red_left)


def test_probabilities_are_those_that_predict_names(colors, red_left):
    """A calibrated network is as sure here as there: its temperature divides the logits."""
    colors.model.classifier[0].bias.data[0] = 2.0
    (sure,) = heat_maps(colors, red_left)
    (doubtful,) = heat_maps(replace(colors, origin={"temperature": 4.0}), red_left)
    logit = torch.tensor(sure.probability).logit()
    assert sure.label == doubtful.label
    assert doubtful.probability == pytest.approx(float((logit / 4).sigmoid()), abs=1e-5)
